"""The same over TLS, where a transport is another and cannot close one side."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType, web

from realtime.engineio.server import EngineServer
from tests.kit.tls import certificate
from tests.kit.waiting import MS, wait_until


@asynccontextmanager
async def serve_tls(folder: Path) -> AsyncIterator[tuple[EngineServer, str]]:
    """Run an echo over TLS; give it and its address."""
    eio = EngineServer(close_timeout=200 * MS)
    eio.on("message", lambda sid, data: eio.write(sid, data))
    app = web.Application()
    eio.attach(app)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate(folder))
    runner = web.AppRunner(app, shutdown_timeout=1_000 * MS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield eio, f"https://127.0.0.1:{runner.addresses[0][1]}/engine.io/?EIO=4"
    finally:
        await runner.cleanup()


async def test_messages_and_broadcasts(tmp_path: Path) -> None:
    """Echoes, broadcasts and the server's close arrive as without TLS."""
    async with serve_tls(tmp_path) as (eio, url), ClientSession() as http:
        url += "&transport=websocket"
        async with http.ws_connect(url, ssl=False, autoclose=False) as socket:
            await socket.receive_str()
            await socket.send_str("4" + "ü" * 100_000)
            assert await socket.receive_str() == "4" + "ü" * 100_000
            eio.broadcast(list(eio.sockets), ["one", b"\x02"])
            assert await socket.receive_str() == "4one"
            assert await socket.receive_bytes() == b"\x02"
            (sid,) = eio.sockets
            eio.close(sid)
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1000)


@pytest.mark.parametrize("packet", ["9", "2"])
async def test_a_broken_client_is_sent_away(tmp_path: Path, packet: str) -> None:
    """It gets the close frame, and the connection does not stay."""
    async with serve_tls(tmp_path) as (eio, url), ClientSession() as http:
        url += "&transport=websocket"
        async with http.ws_connect(url, ssl=False, autoclose=False) as socket:
            await socket.receive_str()
            await socket.send_str(packet)
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1002)
            assert not eio.sockets
        await wait_until(
            lambda: not eio.engine.context.closing, "the connection is gone"
        )


async def test_polling_over_tls(tmp_path: Path) -> None:
    """A poll that waits is answered, and one that is given up is noticed."""
    async with serve_tls(tmp_path) as (eio, url), ClientSession() as http:
        url += "&transport=polling"
        async with http.get(url, ssl=False) as response:
            assert response.status == 200
        (sid,) = eio.sockets
        url += f"&sid={sid}"
        async with http.post(url, ssl=False, data="4hi") as response:
            assert await response.text() == "ok"
        async with http.get(url, ssl=False) as response:
            assert await response.text() == "4hi"
