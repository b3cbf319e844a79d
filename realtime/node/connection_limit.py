"""What holds for every HTTP connection, whatever it asks or does not ask.

A bound on those of one address, on the head of a request, and on the time to take an
answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from aiohttp import web

from realtime.elsewhere import ALONE, Elsewhere, Kind
from realtime.engineio.attempts import Budget
from realtime.engineio.event_loop import read_at_most
from realtime.engineio.held_bytes import UNAUTHENTICATED_READ_BYTES, HeldBytes
from realtime.node.http_heads import BoundedParser, bound_head
from realtime.node.http_versions import hide_versions
from realtime.node.unread import UnreadWatch

# What is no request, or too long a one, as a part of a connection: with the answer, and
# with 32 KiB of it that were read, half a millisecond.
REFUSAL_COST: Final = 3.0


class HttpDoors:
    """Counts a server's HTTP connections by address, and hangs up on too many.

    A connection that became a WebSocket is HTTP's no more: its session counts. Answers
    that nobody takes are cut off by :attr:`unread`, which the node runs.

    Args:
        name_of: The address to count a peer under; empty: it is not limited.
        at_most: Connections of one address.
        refused: Called for each one too many.
        held: Counts the bytes of heads that are not all there.
        arrivals: Connections that may come to nothing; :meth:`prove` gives one back.
        unread: Watches what clients have not taken yet.
        elsewhere: What addresses hold at other processes of the machine.
    """

    def __init__(
        self,
        name_of: Callable[[str], str],
        *,
        at_most: int,
        refused: Callable[[], None],
        held: HeldBytes,
        arrivals: Budget,
        unread: UnreadWatch,
        elsewhere: Elsewhere = ALONE,
    ) -> None:
        self._name_of = name_of
        self._at_most = at_most
        self._refused = refused
        self._held_bytes = held
        self._arrivals = arrivals
        # Those that nobody known has asked over yet.
        self._unproven: set[object] = set()
        self.unread = unread
        self._elsewhere = elsewhere
        self._held: Counter[str] = Counter()
        self._names: dict[object, str] = {}
        self._watched: dict[object, tuple[asyncio.Transport, BoundedParser]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def prove(self, handler: object) -> None:
        """Count a connection among the arrivals no more: somebody known uses it."""
        if handler in self._unproven:
            self._unproven.discard(handler)
            self._arrivals.give_back()
            self.unread.note_known(self._watched[handler][0])

    def _charge_refusal(self) -> None:
        """Count what it costs to find out that something is no request."""
        self._arrivals.take(REFUSAL_COST)

    def guard(self, server: web.Server) -> None:
        """Watch a server's connections from now on."""
        hide_versions(server)
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler, transport):  # type: ignore[no-untyped-def]
            made(handler, transport)
            self._unproven.add(handler)
            head = bound_head(handler, self._held_bytes, self._charge_refusal)
            read_at_most(transport, UNAUTHENTICATED_READ_BYTES)
            transport.set_write_buffer_limits(high=UNAUTHENTICATED_READ_BYTES)
            self._watched[handler] = transport, head
            self.unread.add(transport)
            peer = transport.get_extra_info("peername")
            name = self._name_of(str(peer[0])) if isinstance(peer, tuple) else ""
            if not name:
                return
            self._change(name, 1)
            self._names[handler] = name
            others = self._elsewhere.held(Kind.ADDRESS_CONNECTIONS, name)
            if self._held[name] + others > self._at_most:
                self._refused()
                transport.abort()

        def connection_lost(handler, exc=None):  # type: ignore[no-untyped-def]
            lost(handler, exc)
            self._unproven.discard(handler)
            watched = self._watched.pop(handler, None)
            if watched is not None:
                transport, head = watched
                self.unread.discard(transport)
                head.release()
            name = self._names.pop(handler, "")
            if name:
                self._change(name, -1)
                if not self._held[name]:
                    del self._held[name]

        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]

    def _change(self, name: str, by: int) -> None:
        self._held[name] += by
        self._elsewhere.change(Kind.ADDRESS_CONNECTIONS, name, by)
