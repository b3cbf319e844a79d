"""The servers that the protocols' official test suites want, to run them by hand.

``python -m tests.engineio.suite_servers engine|socket|frames|client [interval
timeout]``; see ``docs/conformance.md``.
"""

import asyncio
import logging
import sys
from typing import Any

from aiohttp import web

from realtime.engineio import frames
from realtime.engineio.aiohttp_upgrade import (
    Detached,
    is_websocket_handshake,
    switch_protocols,
)
from realtime.engineio.frame_parser import Control
from realtime.engineio.server import EngineServer
from realtime.engineio.websocket import WebSocketConnection
from realtime.socketio.server import ChatroomServer
from tests.engineio.client_suite_server import client

# The suites' own ports, and Autobahn's messages of 16 MiB with room to spare.
PORT = 3000
CLIENT_PORT = 3210
AUTOBAHN_BYTES = 64 * 2**20


def engine(interval: float, timeout: float) -> web.Application:
    """Echo Engine.IO messages."""
    eio = EngineServer(
        ping_interval=interval,
        ping_timeout=timeout,
        cors_allowed_origins="*",
        decode_json=False,
    )

    async def echo(sid: str, data: Any) -> None:
        await eio.send(sid, data)

    eio.on("message", echo)
    app = web.Application()
    eio.attach(app)
    return app


def socket(interval: float, timeout: float) -> web.Application:
    """Answer Socket.IO events as the suite's text says, on ``/`` and ``/custom``."""
    server = ChatroomServer(
        ping_interval=interval,
        ping_timeout=timeout,
        connect_timeout=1,
        cors_allowed_origins="*",
    )

    def greet(namespace: str) -> Any:
        async def connect(sid: str, environ: Any, auth: Any) -> None:
            async def tell() -> None:
                await server.emit("auth", auth or {}, to=sid, namespace=namespace)

            # After the answer to CONNECT, which is written when this returns.
            asyncio.get_running_loop().call_soon(server.start_background_task, tell)

        return connect

    async def message(sid: str, *values: Any) -> None:
        await server.emit("message-back", values, to=sid)

    async def message_with_ack(sid: str, *values: Any) -> Any:
        return values

    for namespace in ("/", "/custom"):
        server.on("connect", greet(namespace), namespace=namespace)
    server.on("message", message)
    server.on("message-with-ack", message_with_ack)
    app = web.Application()
    server.attach(app)
    return app


class Echo(WebSocketConnection):
    """Echoes WebSocket messages as they are, for Autobahn."""

    def _on_message(self, message: str | bytes | Control) -> None:
        if isinstance(message, Control):
            self._on_control(message)
        elif isinstance(message, str):
            self.write(frames.text_frame(message))
        else:
            self.write(frames.message_frame(message))


def websocket(_interval: float, _timeout: float) -> web.Application:
    """Serve the reader and writer alone, at ``/``."""
    eio = EngineServer(
        max_http_buffer_size=AUTOBAHN_BYTES, write_buffer_bytes=AUTOBAHN_BYTES * 4
    )

    async def open_echo(request: web.Request) -> web.StreamResponse:
        if not is_websocket_handshake(request):
            return web.Response(status=400)
        connection = Echo(eio.engine.context, None, is_upgrade=False)
        connection.data_received(switch_protocols(request, connection, {}))
        return Detached()

    app = web.Application()
    app.router.add_get("/", open_echo)
    return app


def for_client(_interval: float, _timeout: float) -> web.Application:
    """Serve socket.io-client's own cases, whose heartbeat is fixed."""
    return client()


SERVERS = {
    "engine": engine,
    "socket": socket,
    "frames": websocket,
    "client": for_client,
}


def main(arguments: list[str]) -> None:
    """Serve until interrupted."""
    logging.basicConfig(level=logging.WARNING)
    interval, timeout = map(float, arguments[1:3] or (0.3, 0.2))
    app = SERVERS[arguments[0]](interval, timeout)
    port = CLIENT_PORT if arguments[0] == "client" else PORT
    web.run_app(app, host="localhost", port=port, print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1:])
