"""Engine.IO and Socket.IO servers on free ports, for tests that speak to them raw."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

from realtime.engineio.polling import Polling
from realtime.engineio.server import EngineServer
from realtime.socketio.server import ChatroomServer
from tests.kit.waiting import MS

# The headers of a WebSocket's handshake (RFC 6455, 4.1).
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Served:
    """A running Engine.IO server, and what its handlers were told."""

    def __init__(self, eio: EngineServer, http: ClientSession, port: int) -> None:
        self.eio = eio
        self.http = http
        self.port = port
        self.began: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.messages: list[Any] = []

    def path(self, transport: str, sid: str | None = None) -> str:
        """Return the path and query of a request."""
        query = f"?EIO=4&transport={transport}" + (f"&sid={sid}" if sid else "")
        return f"/engine.io/{query}"

    def url(self, transport: str = "polling", sid: str | None = None) -> str:
        """Return the address of a request."""
        return f"http://127.0.0.1:{self.port}{self.path(transport, sid)}"

    async def open_polling(self) -> str:
        """Open a polling session and return its id."""
        async with self.http.get(self.url()) as response:
            packet = await response.text()
        sid: str = packet.split('"sid":"')[1].split('"')[0]
        return sid

    async def poll(self, sid: str) -> tuple[int, str]:
        """Return status and body of one poll."""
        async with self.http.get(self.url(sid=sid)) as response:
            return response.status, await response.text()

    async def post(self, sid: str, body: str | bytes) -> tuple[int, str]:
        """Return status and body of the answer to one POST."""
        async with self.http.post(self.url(sid=sid), data=body) as response:
            return response.status, await response.text()

    def polling(self, sid: str) -> Polling:
        """Return the polling transport of a session."""
        polling = self.eio.sockets[sid].polling
        assert polling is not None
        return polling

    @property
    def limits_met(self) -> dict[str, int]:
        """Which limits were met, and how often."""
        return {name: count for name, count in self.eio.engine.limited.items() if count}

    def reasons(self, sid: str) -> list[str]:
        """Return why a session ended, once for each time its end was told."""
        return [reason for ended, reason in self.ended if ended == sid]


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[int]:
    """Serve an application on a free port."""
    # aiohttp reads the rest of a refused body for 10 s, if it is let.
    runner = web.AppRunner(
        app, shutdown_timeout=2_000 * MS, lingering_time=50 * MS, access_log=None
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    try:
        await site.start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve(*, echo: bool = True, **settings: Any) -> AsyncIterator[Served]:
    """Run an Engine.IO server that echoes messages, unless told not to."""
    eio = EngineServer(**{"close_timeout": 1_000 * MS, **settings})
    app = web.Application()
    eio.attach(app)
    async with ClientSession() as http, running(app) as port:
        served = Served(eio, http, port)

        @eio.on("connect")
        def connect(sid: str, environ: Any) -> None:
            served.began.append(sid)

        @eio.on("message")
        def message(sid: str, data: Any) -> None:
            served.messages.append(data)
            if echo:
                eio.write(sid, data if isinstance(data, bytes) else str(data))

        @eio.on("disconnect")
        def disconnect(sid: str, reason: str) -> None:
            served.ended.append((sid, reason))

        yield served


@asynccontextmanager
async def serve_socketio(server: ChatroomServer) -> AsyncIterator[int]:
    """Run a Socket.IO server; give its port."""
    app = web.Application()
    server.attach(app)
    async with running(app) as port:
        yield port
