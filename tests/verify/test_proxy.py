"""The proxy spoils a line as a network does, and heals it again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from verify.harness.proxy import BOTH, Direction, FaultProxy, Line, Streams

# Long enough to tell a stall from a slow machine, short enough to wait for.
STALL_SECONDS = 100 * MS


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(1000):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.transport.abort()


@asynccontextmanager
async def line_to_echo() -> AsyncIterator[tuple[FaultProxy, Streams]]:
    """A proxy in front of an echoing server, and a connection through it."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = FaultProxy(partial(asyncio.open_connection, "127.0.0.1", port))
    near = await asyncio.open_connection("127.0.0.1", await proxy.listen_tcp())
    try:
        yield proxy, near
    finally:
        near[1].transport.abort()
        await proxy.aclose()
        server.close()
        await server.wait_closed()


async def say(near: Streams, text: bytes) -> bytes:
    """Send a text and return what comes back."""
    near[1].write(text)
    async with asyncio.timeout(DEADLINE_SECONDS):
        return await near[0].read(1000)


async def silent(near: Streams) -> bool:
    """Whether nothing comes for a while; what comes later is not lost by this."""
    waiting = asyncio.ensure_future(near[0].read(1000))
    _done, pending = await asyncio.wait([waiting], timeout=STALL_SECONDS)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return bool(pending)


async def test_a_stall_holds_bytes_back_and_loses_none() -> None:
    """What was sent during a stall arrives after it."""
    async with line_to_echo() as (proxy, near):
        assert await say(near, b"one") == b"one"
        proxy.set_line(Line(stalled=frozenset({Direction.DOWN})))
        near[1].write(b"two")
        assert await silent(near)
        proxy.set_line(Line())
        assert await say(near, b"") == b"two"


async def test_a_black_hole_says_nothing_and_ends_in_a_reset() -> None:
    """Nothing comes, nothing is refused; afterwards the stream does not go on."""
    async with line_to_echo() as (proxy, near):
        assert await say(near, b"one") == b"one"
        proxy.set_line(Line(swallowing=True))
        near[1].write(b"two")
        assert await silent(near)
        proxy.set_line(Line())
        with pytest.raises(ConnectionResetError):
            await say(near, b"")


async def test_a_reset_is_a_reset() -> None:
    """Every open connection ends as with a crashed machine."""
    async with line_to_echo() as (proxy, near):
        assert await say(near, b"one") == b"one"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            await say(near, b"")
        await wait_until(lambda: proxy.reset() == 0, "the pair is gone")


async def test_a_cut_falls_within_a_frame() -> None:
    """The first half arrives, then the connection ends."""
    async with line_to_echo() as (proxy, near):
        assert await say(near, b"one") == b"one"
        cutting = asyncio.create_task(proxy.cut_in_mid_frame(Direction.DOWN))
        assert await say(near, b"12345678") == b"1234"
        assert await say(near, b"") == b""
        await cutting


async def test_delay_and_throttle_slow_a_line_down() -> None:
    """Each chunk is late; bytes take their time."""
    async with line_to_echo() as (proxy, near):
        loop = asyncio.get_running_loop()
        began = loop.time()
        proxy.set_line(Line(delay_seconds=50 * MS))
        assert await say(near, b"one") == b"one"
        assert loop.time() - began >= 100 * MS
        began = loop.time()
        proxy.set_line(Line(bytes_per_second=round(10 / MS)))
        assert len(await say(near, b"x" * 500)) == 500
        assert loop.time() - began >= 100 * MS


async def test_a_dead_server_is_refused_and_a_new_one_is_found() -> None:
    """Who connects while the server is away sees the connection end."""
    ports = [1]

    async def connect() -> Streams:
        return await asyncio.open_connection("127.0.0.1", ports[0])

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = FaultProxy(connect)
    port = await proxy.listen_tcp()
    try:
        near = await asyncio.open_connection("127.0.0.1", port)
        assert await near[0].read() == b""
        near[1].transport.abort()
        ports[0] = server.sockets[0].getsockname()[1]
        near = await asyncio.open_connection("127.0.0.1", port)
        assert await say(near, b"one") == b"one"
        near[1].transport.abort()
    finally:
        await proxy.aclose()
        server.close()


async def test_unix_sockets_are_carried_as_well(tmp_path: Path) -> None:
    """As between a node and its Redis."""
    server = await asyncio.start_unix_server(echo, tmp_path / "server")
    proxy = FaultProxy(partial(asyncio.open_unix_connection, tmp_path / "server"))
    await proxy.listen_unix(tmp_path / "proxy")
    near = await asyncio.open_unix_connection(tmp_path / "proxy")
    try:
        assert await say(near, b"one") == b"one"
        proxy.set_line(Line(stalled=BOTH))
        near[1].write(b"two")
        assert await silent(near)
        proxy.set_line(Line())
        assert await say(near, b"") == b"two"
        assert proxy.reset() == 1
        assert await say(near, b"") == b""
    finally:
        near[1].transport.abort()
        await proxy.aclose()
        server.close()
