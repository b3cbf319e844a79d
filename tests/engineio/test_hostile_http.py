"""Clients that send what is no HTTP, too much of it, or too slowly."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from realtime.node.http_log import quiet_bad_requests
from tests.kit.raw_socket import client_frame
from tests.kit.serving import serve
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

REQUEST = b"GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n"
JUNK = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "frames": client_frame("4hello") * 3,
    "endless header": REQUEST + b"X: " + b"x" * 100_000,
    "endless headers": REQUEST + b"X-A: b\r\n" * 5_000,
    "endless path": b"GET /" + b"x" * 100_000,
    "header without a name": REQUEST + b": b\r\n\r\n",
    "null in a header": REQUEST + b"X: \x00\r\n\r\n",
    "two lengths": b"POST /engine.io/ HTTP/1.1\r\nHost: a\r\n"
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "bad chunks": b"POST /engine.io/?EIO=4&transport=polling&sid=x HTTP/1.1\r\n"
    b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Log as a node does, for one test."""
    quiet_bad_requests()
    yield
    logging.getLogger("aiohttp.server").filters.clear()


@pytest.mark.usefixtures("_quiet")
@pytest.mark.parametrize("what", JUNK)
async def test_junk_is_answered_and_leaves_no_traceback(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is closed, the log has no stack of it, others are served."""
    caplog.set_level(logging.INFO)
    async with serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(JUNK[what])
        writer.write_eof()
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await reader.read(1_000)
        writer.close()
        assert not answer or answer.startswith(b"HTTP/1.")
        assert await served.open_polling()
    assert not [each for each in caplog.records if each.exc_info]


async def test_frames_behind_a_refused_handshake(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An upgrade of a session that is gone: 400, and the frames are not read."""
    async with serve() as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        handshake = (
            f"GET {served.path('websocket', 'gone')} HTTP/1.1\r\nHost: a\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        writer.write(handshake.encode() + client_frame("2probe") + client_frame("5"))
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1
        writer.close()
    assert not caplog.records


@pytest.mark.parametrize("cut", [10, 60, 150])
async def test_clients_that_go_in_mid_handshake(
    cut: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that ends within its request leaves nothing behind."""
    async with serve() as served:
        request = (
            REQUEST.replace(b"polling", b"websocket")
            + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            + b"Sec-WebSocket-Version: 13\r\n"
            + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        for _ in range(5):
            _reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(request[:cut])
            await writer.drain()
            writer.transport.abort()
        await wait_until(lambda: not served.eio.sockets, "no session is open")
        assert await served.open_polling()
    assert not caplog.records
