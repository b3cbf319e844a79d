"""How a node takes connections."""

import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from realtime.errors import StartError
from realtime.node.app import NODE
from realtime.node.arrivals import Arrivals, ArrivalSite, keep_silent_ones_out
from realtime.node.binding import bind, busy_words, page_address
from realtime.node.neighbours import Neighbours
from realtime.node.settings import Settings

# Connections that may wait to be taken. When a node dies, thousands come to the others
# within a second; what does not find a place tries again after one second, then three.
LISTEN_BACKLOG: Final = 4096


async def listen(
    runner: web.AppRunner,
    sockets: Sequence[socket.socket],
    host: str,
    arrivals: Arrivals,
) -> None:
    """Serve on sockets from :func:`~realtime.node.binding.bind`.

    Args:
        runner: Has the server.
        sockets: What to listen on.
        host: What the user called it.
        arrivals: Takes the connections.

    Raises:
        StartError: Another program was faster.
    """
    for each in sockets:
        try:
            keep_silent_ones_out(each)
            each.listen(LISTEN_BACKLOG)
            await ArrivalSite(runner, each, arrivals).start()
        except OSError as error:
            port = each.getsockname()[1]
            raise StartError(busy_words(host, port, error)) from error


class OwnPort:
    """The port of a node that is alone.

    Args:
        settings: Where to listen.
        announce: Called with the page's address once the node serves.

    Attributes:
        name: What lines of its log begin with, where several nodes write to one log.
        neighbours: The other nodes of its machine: none.
        tells_warnings: Whether it says what an operator should know at the start.
    """

    name = ""
    neighbours = Neighbours()
    tells_warnings = True

    def __init__(self, settings: Settings, announce: Callable[[str], None]) -> None:
        self._host = settings.host
        self._port = settings.port
        self._announce = announce
        self._sockets: list[socket.socket] = []

    async def take(self, stack: AsyncExitStack) -> None:
        """Have the port, before anything else is made.

        Raises:
            StartError: It cannot be had.
        """
        self._sockets = await bind(self._host, self._port)
        for each in self._sockets:
            stack.callback(each.close)

    async def open(self, runner: web.AppRunner) -> None:
        """Take connections, and say so.

        Raises:
            StartError: Another program was faster.
        """
        arrivals = runner.app[NODE].arrivals
        await listen(runner, self._sockets, self._host, arrivals)
        self._announce(page_address(self._host, self._sockets[0].getsockname()[1]))

    async def leave(self) -> None:
        """Begin to go, before the clients are told: they are refused from then on."""

    async def close(self) -> None:
        """Go, when all clients were sent away."""
