"""One address before several nodes: new connections go to one that lives."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import aiohttp

from tests.kit.nodes import HOST
from tests.kit.waiting import MS

# Far more often than real ones look; yet a node goes between two looks.
HEALTH_SECONDS = 100 * MS

CHUNK_BYTES = 65_536


class Balancer:
    """A plain TCP forwarder, as a load balancer whose health check is a connect.

    Args:
        ports: Of the nodes.
        tls: Ends TLS here, if there is to be any.
    """

    def __init__(
        self, ports: Sequence[int], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.ports = list(ports)
        self._tls = tls
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Balancer"]:
        """Listen on a free port until the block ends."""
        server = await asyncio.start_server(self._serve, HOST, 0, ssl=self._tls)
        self.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        self._tasks: set[asyncio.Task[None]] = set()
        try:
            yield self
        finally:
            server.close()
            # What was accepted a moment ago becomes a task in the loop's next turn.
            await asyncio.sleep(0)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            for port in self._candidates():
                with suppress(OSError):
                    there = await asyncio.open_connection(HOST, port)
                    await self._join((reader, writer), there)
                    return
        finally:
            await _abort(writer)

    def _candidates(self) -> list[int]:
        """Return the ports to try for a new connection, in this order."""
        return self.ports

    async def _join(
        self,
        here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        ways = [
            asyncio.create_task(_pump(here[0], there[1])),
            asyncio.create_task(_pump(there[0], here[1])),
        ]
        try:
            # The end of either side is the end of the connection.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First, for what follows may be cancelled.
            there[1].transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _abort(there[1])


class HealthBalancer(Balancer):
    """Spreads connections over the nodes whose ``/readyz`` was green of late."""

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(ports)
        self.ready: set[int] = set()
        self._turn = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["HealthBalancer"]:
        """Listen on a free port, and look at the nodes, until the block ends."""
        async with aiohttp.ClientSession() as http, super().running():
            await self._look(http)
            looking = asyncio.create_task(self._look_on(http))
            try:
                yield self
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)

    def _candidates(self) -> list[int]:
        self._turn += 1
        start = self._turn % len(self.ports)
        turned = self.ports[start:] + self.ports[:start]
        return sorted(turned, key=lambda port: port not in self.ready)

    async def _look_on(self, http: aiohttp.ClientSession) -> None:
        while True:
            await asyncio.sleep(HEALTH_SECONDS)
            await self._look(http)

    async def _look(self, http: aiohttp.ClientSession) -> None:
        ready = set()
        for port in self.ports:
            with suppress(aiohttp.ClientError, OSError):
                async with http.get(f"http://{HOST}:{port}/readyz") as answer:
                    if answer.status == 200:
                        ready.add(port)
        self.ready = ready


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _abort(writer: asyncio.StreamWriter) -> None:
    """Close at once, and not before the loop has done with it."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
