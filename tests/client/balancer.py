"""One address before several nodes: new connections go to the first that lives."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from tests.nodes import HOST

CHUNK_BYTES = 65_536


class Balancer:
    """A plain TCP forwarder, as a load balancer whose health check is a connect."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Balancer"]:
        """Listen on a free port until the block ends."""
        server = await asyncio.start_server(self._serve, HOST, 0)
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
            for port in self.ports:
                with suppress(OSError):
                    there = await asyncio.open_connection(HOST, port)
                    await self._join((reader, writer), there)
                    return
        finally:
            await _abort(writer)

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
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _abort(there[1])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _abort(writer: asyncio.StreamWriter) -> None:
    """Close at once, and not before the loop has done with it."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()
