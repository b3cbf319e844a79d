"""The server that socket.io-client's own cases want; see ``docs/conformance.md``."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as RefusedError

from realtime.engineio.dispatch import Handler
from realtime.socketio.server import ChatroomServer

PING_SECONDS: Final = 2.0
# How long a handshake is kept waiting, for the cases of the client's own timeouts.
HANDSHAKE_SECONDS: Final = 0.01

BYTES: Final = b"asdfasdf"
TEXTS: Final = ("てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string")
# What is sent when an event comes.
ANSWERS: Final[dict[str, list[tuple[Any, ...]]]] = {
    "hi": [("hi",)],
    "false": [("false", False)],
    "doge": [("doge", BYTES)],
    "getbin": [("takebin", BYTES)],
    "getUtf8": [("takeUtf8", text) for text in TEXTS],
    "buffa": [("buffack",)],
    "jsonbuff": [("jsonbuff-ack",)],
    "abuff2": [("abuff2-ack",)],
    "blob": [("back",)],
    "jsonblob": [("jsonblob-ack",)],
    "blob3": [("blob3-ack",)],
}
# Events that are answered if they bring bytes: as the value, or under this name.
WITH_BYTES: Final = {"buffa": None, "blob": None, "blob3": None} | {
    "jsonbuff": "message",
    "jsonblob": "message",
}


def now() -> str:
    """Return the time as JavaScript writes a date."""
    return datetime.now(UTC).isoformat()


def handshake(environ: Any, auth: Any) -> dict[str, Any]:
    """Return what Node's ``socket.handshake`` has and the cases look at."""
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    return {
        "query": {name: values[0] for name, values in query.items()},
        "auth": auth or {},
        "headers": {
            name[5:].lower().replace("_", "-"): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        },
        "url": environ["RAW_URI"],
        "address": environ["REMOTE_ADDR"],
        "secure": False,
        "xdomain": "HTTP_ORIGIN" in environ,
        "issued": 0,
        "time": now(),
    }


class Cases:
    """What the cases find at ``/`` and, where it differs, in other namespaces."""

    def __init__(self, server: ChatroomServer) -> None:
        self._server = server
        self._handshakes: dict[str, dict[str, Any]] = {}
        for event in ANSWERS:
            server.on(event, self._answering(event))
        server.on("connect", self._connect)
        server.on("connect", self._connect_abc, namespace="/abc")
        server.on("connect", self._connect_no, namespace="/no")
        server.on("ack", self._ack)
        server.on("echo", self._echo)
        server.on("getAckDate", self._get_ack_date)
        server.on("getDate", self._get_date)
        server.on("getDateObj", self._get_date_object)
        server.on("getHandshake", self._get_handshake)
        server.on("getId", self._get_id)
        server.on("getId", self._get_id, namespace="/foo")

    async def _connect(self, sid: str, environ: Any, auth: Any) -> None:
        said = self._handshakes[sid] = handshake(environ, auth)
        if "fail" in said["query"]:
            raise RefusedError("Auth failed (main namespace)")

    async def _connect_abc(self, sid: str, environ: Any, auth: Any) -> None:
        async def tell() -> None:
            said = handshake(environ, auth)
            await self._server.emit("handshake", said, to=sid, namespace="/abc")

        # After the answer to CONNECT, which is written when this returns.
        loop = asyncio.get_running_loop()
        loop.call_soon(self._server.start_background_task, tell)

    async def _connect_no(self, sid: str, environ: Any, auth: Any) -> None:
        raise RefusedError("Auth failed (custom namespace)")

    def _answering(self, event: str) -> Handler:
        async def answer(sid: str, *values: Any) -> object:
            if event in WITH_BYTES:
                name = WITH_BYTES[event]
                value = values[0] if name is None else values[0][name]
                assert isinstance(value, bytes), event
            for name, *said in ANSWERS[event]:
                await self._server.emit(name, tuple(said), to=sid)
            # Node's handlers do not call the ack here.
            return self._server.not_handled

        return answer

    async def _ack(self, sid: str) -> object:
        def called(number: Any, value: Any) -> None:
            if number == 5 and value["test"]:
                self._server.start_background_task(self._server.emit, "got it", to=sid)

        await self._server.emit("ack", to=sid, callback=called)
        return self._server.not_handled

    async def _echo(self, sid: str, value: Any) -> object:
        return (value,)

    async def _get_ack_date(self, sid: str, _value: Any) -> str:
        return now()

    async def _get_date(self, sid: str) -> None:
        await self._server.emit("takeDate", now(), to=sid)

    async def _get_date_object(self, sid: str) -> None:
        await self._server.emit("takeDateObj", {"date": now()}, to=sid)

    async def _get_handshake(self, sid: str) -> object:
        return self._handshakes[sid]

    async def _get_id(self, sid: str) -> str:
        return sid


@web.middleware
async def late_handshakes(request: web.Request, handler: Any) -> web.StreamResponse:
    """Keep handshakes waiting a moment, as ``allowRequest`` does there."""
    if "sid" not in request.query:
        await asyncio.sleep(HANDSHAKE_SECONDS)
    response: web.StreamResponse = await handler(request)
    return response


def client() -> web.Application:
    """Do what ``test/support/server.ts`` does, but for connection state recovery."""
    server = ChatroomServer(
        ping_interval=PING_SECONDS,
        namespaces=["/", "/foo", "/timeout_socket", "/valid", "/asd"],
    )
    Cases(server)
    app = web.Application(middlewares=[late_handshakes])
    server.attach(app)
    return app
