"""Redis over TLS: a node works with it, by its own CA, and stops without a word."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from realtime.redis.connection import RedisConnection
from realtime.redis.url import connection_factory
from tests.kit.nodes import NAMESPACE, client, run_process, start_process
from tests.kit.redis_server import RedisServer
from tests.kit.tls import certificate
from tests.kit.waiting import MS
from verify.harness.sentinel import SentinelGroup

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def tls_before(
    folder: Path, connect: Callable[[], Awaitable[Streams]]
) -> AsyncIterator[tuple[int, Path]]:
    """End TLS before a server; give the port and the file of the authority."""
    both = certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)
    serving: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        there, forth = await connect()
        await asyncio.gather(pump(here, forth), pump(there, back))

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], both
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def test_a_node_over_tls(redis_server: RedisServer, tmp_path: Path) -> None:
    """It verifies the server by the given authority, serves, and stops in silence."""
    socket = redis_server.url.removeprefix("unix://")
    async with tls_before(tmp_path, lambda: asyncio.open_unix_connection(socket)) as (
        port,
        authority,
    ):
        url = f"rediss://localhost:{port}/0"
        async with run_process(
            "--redis-url", f"{url}?ssl_ca_certs={authority}"
        ) as node:
            async with client(node, "ann") as ann:
                ack = await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
                assert ack["ok"]
                node.terminate()
                assert await node.ended() == 0
            assert "Traceback" not in node.output
            assert "Fatal error" not in node.output
            assert " ERROR " not in node.output
        stranger = await start_process("--redis-url", url)
        try:
            assert await stranger.ended() == 1
        finally:
            await stranger.aclose()
        assert "cannot be reached" in stranger.output
        assert "certificate verify failed" in stranger.output
        assert "Traceback" not in stranger.output


@pytest.mark.timeout(60)
async def test_sentinels_over_tls(tmp_path: Path) -> None:
    """They are asked over TLS; the primary that they name answers."""
    (tmp_path / "group").mkdir()
    async with SentinelGroup(tmp_path / "group") as group:
        [plain, *_others] = group.sentinel_ports
        async with tls_before(
            tmp_path, lambda: asyncio.open_connection("127.0.0.1", plain)
        ) as (port, authority):
            factory = connection_factory(
                f"redis+sentinel://localhost:{port}/0/chat"
                f"?sentinel_tls=true&ssl_ca_certs={authority}",
                timeout_seconds=3_000 * MS,
            )
            wire = await RedisConnection.connect(factory, timeout_seconds=3_000 * MS)
            await wire.close()
