"""What users of ``socketio.AsyncServer`` rely on, over this engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio
from socketio.exceptions import ConnectionError as ClientConnectionError
from socketio.exceptions import ConnectionRefusedError as RefusedError
from socketio.packet import Packet

from realtime.engineio.server import EngineServer
from realtime.socketio.room_index import RoomIndex
from realtime.socketio.server import ChatroomServer
from tests.kit.raw_socket import raw_socket
from tests.kit.serving import serve_socketio
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

TRANSPORTS = [["polling"], ["websocket"], ["polling", "websocket"]]
# Keywords of the client's `call`.
CHAT: Any = {"namespace": "/chat", "timeout": DEADLINE_SECONDS}


class IndexedManager(RoomIndex, socketio.AsyncManager):  # type: ignore[misc]
    """The room bookkeeping that nodes use, without Redis."""


class ChatNamespace(socketio.AsyncNamespace):  # type: ignore[misc]
    """One of everything that a namespace does."""

    def __init__(self) -> None:
        super().__init__("/chat")
        self.ended: list[str] = []

    async def on_connect(self, sid: str, environ: Any, auth: Any) -> None:
        """Admit, and keep something; who asks to be refused is refused."""
        if auth == {"refuse": True}:
            raise RefusedError("not you", {"code": "unauthorized"})
        await self.save_session(sid, {"query": environ["QUERY_STRING"]})
        await self.enter_room(sid, "lobby")

    def on_disconnect(self, sid: str, reason: str) -> None:
        """Note the reason."""
        self.ended.append(reason)

    async def on_echo(self, sid: str, *values: Any) -> Any:
        """Answer with what came."""
        return values

    def on_plain(self, sid: str, value: int) -> int:
        """Answer from a plain function."""
        return value + 1

    async def on_ask_me(self, sid: str) -> Any:
        """Call the client back and answer with its answer."""
        return [
            await self.call(
                "ask", (b"\x01", {"n": 1}), to=sid, timeout=DEADLINE_SECONDS
            )
        ]

    async def on_shout(self, sid: str, text: str) -> list[str]:
        """Tell the others, and answer with the caller's rooms."""
        await self.emit("shouted", text, room="lobby", skip_sid=sid)
        return sorted(self.rooms(sid))


@asynccontextmanager
async def client(
    port: int, transports: list[str], auth: Any = None
) -> AsyncIterator[socketio.AsyncClient]:
    """Connect python-socketio's own client to ``/chat``."""
    sio = socketio.AsyncClient(reconnection=False)
    sio.on("ask", lambda data, more: {"got": data, **more}, namespace="/chat")
    await sio.connect(
        f"http://127.0.0.1:{port}",
        transports=transports,
        namespaces=["/chat"],
        auth=auth,
        wait_timeout=DEADLINE_SECONDS,
    )
    try:
        yield sio
    finally:
        await sio.disconnect()


def server(manager: type = socketio.AsyncManager, **settings: Any) -> ChatroomServer:
    """Return a server with the namespace."""
    made = ChatroomServer(client_manager=manager(), async_mode="aiohttp", **settings)
    made.register_namespace(ChatNamespace())
    return made


@pytest.mark.parametrize("manager", [socketio.AsyncManager, IndexedManager])
@pytest.mark.parametrize("transports", TRANSPORTS, ids="+".join)
async def test_acks_and_binary_both_ways(transports: list[str], manager: type) -> None:
    """Events, acks, calls and large binary, over every transport."""
    sio = server(manager)
    async with serve_socketio(sio) as port, client(port, transports) as own:
        assert own.transport() == transports[-1]

        async def call(event: str, data: Any = None) -> Any:
            return await own.call(event, data, **CHAT)

        assert await call("echo", ("a", {"b": [None, "ü€😀"]})) == (
            "a",
            {"b": [None, "ü€😀"]},
        )
        assert await call("echo", {"deep": [b"\x00\xff"]}) == {"deep": [b"\x00\xff"]}
        assert await call("echo", b"z" * 300_000) == b"z" * 300_000
        assert await call("plain", 1) == 2
        assert await call("ask_me") == [{"got": b"\x01", "n": 1}]
        numbers = await asyncio.gather(*(call("echo", each) for each in range(100)))
        assert numbers == list(range(100))
        session = await sio.get_session(own.get_sid("/chat"), namespace="/chat")
        assert "EIO=4" in session["query"]


async def test_rooms_and_broadcasts() -> None:
    """A broadcast reaches the room's others, whatever their transport."""
    sio = server()
    async with (
        serve_socketio(sio) as port,
        client(port, ["websocket"]) as caller,
        client(port, ["websocket"]) as one,
        client(port, ["polling"]) as two,
    ):
        heard: list[tuple[str, str]] = []
        for name, each in (("caller", caller), ("one", one), ("two", two)):
            each.on(
                "shouted",
                lambda text, name=name: heard.append((name, text)),
                namespace="/chat",
            )
        rooms = await caller.call("shout", "hey", **CHAT)
        assert rooms == sorted(["lobby", caller.get_sid("/chat")])
        await wait_until(lambda: len(heard) == 2, "both others heard it")
        assert sorted(heard) == [("one", "hey"), ("two", "hey")]


async def test_refused_clients_learn_why() -> None:
    """What the handler raises reaches the client."""
    sio = server()
    told: list[Any] = []
    async with serve_socketio(sio) as port:
        own = socketio.AsyncClient(reconnection=False)
        own.on("connect_error", told.append, namespace="/chat")
        with pytest.raises(ClientConnectionError):
            await own.connect(
                f"http://127.0.0.1:{port}",
                namespaces=["/chat"],
                auth={"refuse": True},
                wait_timeout=DEADLINE_SECONDS,
            )
        assert told == [{"message": "not you", "data": {"code": "unauthorized"}}]
        await own.disconnect()
        assert not sio.manager.rooms


async def test_the_server_disconnects() -> None:
    """The client is told, the handler gets the reason, and nothing stays."""
    sio = server()
    async with serve_socketio(sio) as port, client(port, ["websocket"]) as own:
        ended = sio.namespace_handlers["/chat"].ended
        await sio.disconnect(own.get_sid("/chat"), namespace="/chat")
        await wait_until(lambda: not own.connected, "the client is told")
        assert ended == ["server disconnect"]
        assert not sio.manager.rooms


async def test_the_environment_can_be_asked_for_later() -> None:
    """Headers and address, also after the session was packed away."""
    sio = server()
    async with serve_socketio(sio) as port, client(port, ["websocket"]) as own:
        environ = sio.get_environ(own.get_sid("/chat"), "/chat")
        assert environ["REMOTE_ADDR"] == "127.0.0.1"
        assert environ["REQUEST_METHOD"] == "GET"
        assert environ["wsgi.version"] == (1, 0)


async def test_middleware_style_namespaces_and_catch_alls() -> None:
    """Handlers for all namespaces and all events, in the library's order."""
    sio = ChatroomServer(async_mode="aiohttp", namespaces="*")
    seen: list[Any] = []

    def catch_all(event: str, namespace: str, sid: str, *values: Any) -> None:
        seen.append((event, namespace, values))

    sio.on("*", catch_all, namespace="*")
    async with serve_socketio(sio) as port, client(port, ["websocket"]) as own:
        await own.call("anything", 5, **CHAT)
        assert seen == [("anything", "/chat", (5,))]


class OtherPacket(Packet):  # type: ignore[misc]
    """A serializer that this server knows nothing of."""


async def test_other_serializers() -> None:
    """They work as with the library's server, and hostile packets get no further."""
    sio = server(serializer=OtherPacket)
    async with serve_socketio(sio) as port:
        async with client(port, ["websocket"]) as own:
            data = {"a": b"\x01"}
            assert await own.call("echo", data, **CHAT) == data
        path = "/socket.io/?EIO=4&transport=websocket"
        async with raw_socket(port, path) as socket:
            await socket.text()
            socket.send('452["a"')
            assert await socket.close_code() == 1002


async def test_the_admin_ui_is_reported_to() -> None:
    """instrument() tells who is there, and counts packets both ways."""
    sio = server()
    admin = sio.instrument(auth=False, server_stats_interval=50 * MS)
    sockets: list[Any] = []
    stats: list[Any] = []
    async with serve_socketio(sio) as port:
        watcher = socketio.AsyncClient(reconnection=False)
        watcher.on("all_sockets", sockets.append, namespace="/admin")
        watcher.on("server_stats", stats.append, namespace="/admin")
        async with client(port, ["websocket"]) as own:
            await watcher.connect(
                f"http://127.0.0.1:{port}",
                namespaces=["/admin"],
                wait_timeout=DEADLINE_SECONDS,
            )
            await wait_until(lambda: sockets, "the admin is told who is there")
            await own.call("echo", 1, **CHAT)

            def counted() -> set[str]:
                return {
                    event["type"]
                    for each in stats
                    for event in each["aggregatedEvents"]
                }

            await wait_until(
                lambda: {"packetsIn", "packetsOut", "bytesIn"} <= counted(), "counts"
            )
            assert {each["nsp"] for each in sockets[0]} >= {"/chat", "/admin"}
            assert sockets[0][0]["handshake"]["address"] == "127.0.0.1"
        await watcher.disconnect()
        await admin.shutdown()


def test_settings_that_cannot_be() -> None:
    """Refused when the server is made, as python-engineio does."""
    with pytest.raises(ValueError, match="async_mode"):
        EngineServer(async_mode="asgi")
    with pytest.raises(ValueError, match="transports"):
        EngineServer(transports=["pigeon"])
    with pytest.raises(ValueError, match="ping_timeout"):
        EngineServer(ping_timeout=0)
    with pytest.raises(ValueError, match="event"):
        EngineServer().on("surprise", print)
