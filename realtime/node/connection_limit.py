"""What holds for every HTTP connection, whatever it asks or does not ask.

A bound on those of one address, on the head of a request, and on the time to take an
answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from aiohttp import web

from realtime.node.http_heads import bound_head
from realtime.node.unread import UnreadWatch


class HttpDoors:
    """Counts a server's HTTP connections by address, and hangs up on too many.

    A connection that became a WebSocket is HTTP's no more: its session counts. Answers
    that nobody takes are cut off by :attr:`unread`, which the node runs.

    Args:
        name_of: The address to count a peer under; empty: it is not limited.
        at_most: Connections of one address.
        refused: Called for each one too many.
        unread: Watches what clients have not taken yet.
    """

    def __init__(
        self,
        name_of: Callable[[str], str],
        *,
        at_most: int,
        refused: Callable[[], None],
        unread: UnreadWatch,
    ) -> None:
        self._name_of = name_of
        self._at_most = at_most
        self._refused = refused
        self.unread = unread
        self._held: Counter[str] = Counter()
        self._names: dict[object, str] = {}
        self._transports: dict[object, asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._names)

    def guard(self, server: web.Server) -> None:
        """Watch a server's connections from now on."""
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler, transport):  # type: ignore[no-untyped-def]
            made(handler, transport)
            bound_head(handler)
            self._transports[handler] = transport
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
            transport = self._transports.pop(handler, None)
            if transport is not None:
                self.unread.discard(transport)
            name = self._names.pop(handler, "")
            if name:
                self._held[name] -= 1
                if not self._held[name]:
                    del self._held[name]

        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]
