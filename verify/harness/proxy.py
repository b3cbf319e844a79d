"""A proxy between two parts that can spoil the line between them."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

# Most bytes carried at once: a cut or a delay then falls within large answers.
CHUNK_BYTES = 16 * 1024

# Deadline of the connection to the other side, which may be dead.
CONNECT_SECONDS = 2.0

# Longest wait for the bytes to be cut in: over a heartbeat of the run's nodes.
CUT_SECONDS = 2.0

# An abort with SO_LINGER at zero seconds is a reset, as from a crashed machine.
RESET_LINGER = struct.pack("ii", 1, 0)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]


class Direction(Enum):
    """Which way bytes go, seen from who connected."""

    UP = "to the server"
    DOWN = "to the client"


BOTH = frozenset(Direction)


@dataclass(slots=True)
class Line:
    """The state of the line, the same for all connections.

    Attributes:
        stalled: Ways in which nothing moves; the bytes wait.
        swallowing: Bytes vanish and nobody is told, as behind a dead firewall.
        delay_seconds: How late each chunk is.
        bytes_per_second: How fast bytes move; 0 is no limit.
    """

    stalled: frozenset[Direction] = frozenset()
    swallowing: bool = False
    delay_seconds: float = 0.0
    bytes_per_second: int = 0


@dataclass(eq=False, slots=True)
class _Pair:
    """A connection and its other half; ``spoilt`` when bytes of it are lost."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    spoilt: bool = False
    cut: set[Direction] = field(default_factory=set)

    def abort(self, *, reset: bool) -> None:
        for writer in (self.near, self.far):
            if writer is None or writer.transport.is_closing():
                continue
            peer = writer.get_extra_info("socket")
            if reset and peer is not None and peer.family != socket.AF_UNIX:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_LINGER)
            writer.transport.abort()


class FaultProxy:
    """Carries connections to one server, as well as the line is.

    Args:
        connect: Opens a connection to the server, which may change its address.
        admits: Tells, by the address of who connects, whether the line is there for
            them; without it it is for everybody.
    """

    def __init__(
        self, connect: Connect, *, admits: Callable[[str], bool] = bool
    ) -> None:
        self._connect = connect
        self._admits = admits
        self._line = Line()
        self._changed = asyncio.Event()
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen_tcp(self) -> int:
        """Listen on a free port of the loopback and return it."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def listen_unix(self, path: Path) -> None:
        """Listen on a unix socket."""
        self._server = await asyncio.start_unix_server(self._accept, path)

    async def aclose(self) -> None:
        """Cut everything and stop."""
        if self._server is not None:
            self._server.close()
        for pair in self._pairs:
            pair.abort(reset=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def set_line(self, line: Line) -> None:
        """Change how the line is, for connections that are open and new ones.

        Connections that lost bytes are cut when the line stops swallowing: to go on
        with a hole in the stream is what no network does.
        """
        self._line = line
        for pair in self._pairs:
            if pair.spoilt and not line.swallowing:
                pair.abort(reset=True)
        self._note_change()

    def reset(self) -> int:
        """Reset all connections and return how many there were."""
        for pair in self._pairs:
            pair.abort(reset=True)
        return len(self._pairs)

    async def cut_in_mid_frame(self, direction: Direction) -> None:
        """Cut each connection half way through the next bytes that it carries.

        Returns when all are cut; those that carry nothing are reset in the end.
        """
        cut = set(self._pairs)
        for pair in cut:
            pair.cut.add(direction)
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_SECONDS):
                while cut & self._pairs:
                    await self._changed.wait()
        for pair in cut & self._pairs:
            pair.abort(reset=True)

    def _note_change(self) -> None:
        """Wake whoever waits for the line, or for connections to end."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _accept(self, *near: *Streams) -> None:
        # Not a coroutine: asyncio logs an error when a task that it made is cancelled.
        task = asyncio.create_task(self._serve(*near), name="fault-proxy")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        pair = _Pair(writer)
        self._pairs.add(pair)
        try:
            # Of a unix socket, which has no address, everybody is admitted.
            host = (writer.get_extra_info("peername") or ("unix",))[0]
            if self._admits(host):
                await self._carry(reader, pair)
        except (OSError, TimeoutError):
            # The line is down; whoever connected sees it end.
            pass
        finally:
            self._pairs.discard(pair)
            pair.abort(reset=False)
            self._note_change()

    async def _carry(self, reader: asyncio.StreamReader, pair: _Pair) -> None:
        await self._clear(Direction.UP, pair)
        async with asyncio.timeout(CONNECT_SECONDS):
            far_reader, pair.far = await self._connect()
        up = self._pump(reader, pair.far, pair, Direction.UP)
        down = self._pump(far_reader, pair.near, pair, Direction.DOWN)
        ways = [asyncio.create_task(up), asyncio.create_task(down)]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pair: _Pair,
        direction: Direction,
    ) -> None:
        while True:
            chunk = await reader.read(CHUNK_BYTES)
            if not await self._clear(direction, pair) and chunk:
                continue
            if direction in pair.cut and chunk:
                writer.write(chunk[: len(chunk) // 2])
                await writer.drain()
                return
            if not chunk:
                return
            speed = self._line.bytes_per_second
            await asyncio.sleep(
                self._line.delay_seconds + (len(chunk) / speed if speed else 0)
            )
            writer.write(chunk)
            await writer.drain()

    async def _clear(self, direction: Direction, pair: _Pair) -> bool:
        """Wait while the line stalls; false if what was read is lost."""
        while direction in self._line.stalled:
            await self._changed.wait()
        if self._line.swallowing:
            pair.spoilt = True
            while pair.far is None and self._line.swallowing:
                # A connect into the void: nothing comes back until the line is well.
                await self._changed.wait()
            return False
        return True
