"""What holds for every HTTP connection, whatever it asks or does not ask.

A bound on those of one address, on the head of a request, and on the time to take an
answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from realtime.engineio.event_loop import read_at_most
from realtime.engineio.held_bytes import UNAUTHENTICATED_READ_BYTES, HeldBytes
from realtime.node.http_heads import BoundedParser, bound_head
from realtime.node.http_versions import hide_versions
from realtime.node.unread import UnreadWatch


class HttpDoors:
    """Counts a server's HTTP connections by address, and hangs up on too many.

    A connection that became a WebSocket is HTTP's no more: its session counts. Answers
    that nobody takes are cut off by :attr:`unread`, which the node runs.

    Args:
        name_of: The address to count a peer under; empty: it is not limited.
        at_most: Connections of one address.
        refused: Called for each one too many.
        held: Counts the bytes of heads that are not all there.
        unread: Watches what clients have not taken yet.
    """

    def __init__(
        self,
        name_of: Callable[[str], str],
        *,
        at_most: int,
        refused: Callable[[], None],
        held: HeldBytes,
        unread: UnreadWatch,
    ) -> None:
        self._name_of = name_of
        self._at_most = at_most
        self._refused = refused
        self._held_bytes = held
        self.unread = unread
        self._held: Counter[str] = Counter()
        self._names: dict[object, str] = {}
        self._watched: dict[object, tuple[asyncio.Transport, BoundedParser]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def guard(self, server: web.Server) -> None:
        """Watch a server's connections from now on."""
        hide_versions(server)
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler, transport):  # type: ignore[no-untyped-def]
            made(handler, transport)
            head = bound_head(handler, self._held_bytes)
            read_at_most(transport, UNAUTHENTICATED_READ_BYTES)
            self._watched[handler] = transport, head
            self.unread.add(transport)
            peer = transport.get_extra_info("peername")
            name = self._name_of(str(peer[0])) if isinstance(peer, tuple) else ""
            if not name:
                return
            self._held[name] += 1
            self._names[handler] = name
            if self._held[name] > self._at_most:
                self._refused()
                transport.abort()

        def connection_lost(handler, exc=None):  # type: ignore[no-untyped-def]
            lost(handler, exc)
            watched = self._watched.pop(handler, None)
            if watched is not None:
                transport, head = watched
                self.unread.discard(transport)
                head.release()
            name = self._names.pop(handler, "")
            if name:
                self._held[name] -= 1
                if not self._held[name]:
                    del self._held[name]

        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]
