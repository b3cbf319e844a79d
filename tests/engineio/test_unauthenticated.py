"""What a stranger can make a server hold or work off: little, and in all not much."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession, web

from realtime.addresses import Addresses
from realtime.engineio import held_bytes
from realtime.engineio.attempts import Budget
from realtime.node.connection_limit import HttpDoors
from realtime.node.http_heads import HEAD_LIMIT_BYTES
from realtime.node.unread import UnreadWatch
from realtime.socketio.server import UNAUTHENTICATED_PACKET_BYTES, ChatroomServer
from tests.kit.raw_socket import RawSocket, client_frame, raw_socket
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
LONG = UNAUTHENTICATED_PACKET_BYTES + 1
HEAD = b"POST /echo HTTP/1.1\r\nHost: a\r\n"


class Scene:
    """A Socket.IO server that lets everybody in, and a route that counts bytes."""

    def __init__(self, server: ChatroomServer, port: int) -> None:
        self.server = server
        self.port = port
        self.heard: list[int] = []

    @property
    def limited(self) -> dict[str, int]:
        """Which limits were met."""
        return {name: n for name, n in self.server.eio.engine.limited.items() if n}

    @property
    def held(self) -> int:
        """Bytes held for strangers."""
        return self.server.held()["stranger_bytes"]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    server = ChatroomServer(async_mode="aiohttp", max_http_buffer_size=1_000_000)
    app = web.Application(client_max_size=1_000_000)

    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app.router.add_route("*", "/echo", echo)
    server.attach(app)

    runner = web.AppRunner(app, shutdown_timeout=1, access_log=None)
    await runner.setup()
    assert runner.server is not None
    HttpDoors(
        Addresses().peer_name,
        at_most=100,
        refused=lambda: None,
        held=server.eio.engine.held_bytes,
        arrivals=Budget(None),
        unread=UnreadWatch(lambda: None),
    ).guard(runner.server)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = Scene(server, runner.addresses[0][1])

    async def hear(_sid: str, text: str) -> None:
        made.heard.append(len(text))

    server.on("long", hear)
    try:
        yield made
    finally:
        await runner.cleanup()
    await wait_until(lambda: made.held == 0, "nothing stays of anybody")


async def connected(scene: Scene, socket: RawSocket) -> None:
    """Enter the namespace."""
    await socket.text()
    socket.send("40")
    assert (await socket.text()).startswith("40{")


async def test_a_strangers_long_packet_is_refused_by_its_first_bytes(
    scene: Scene,
) -> None:
    """Twelve megabytes of JSON as CONNECT never arrive, so they block nobody."""
    async with raw_socket(scene.port, WEBSOCKET) as socket:
        await socket.text()
        socket.writer.write(client_frame("40" + "x" * LONG)[:100])
        assert await socket.close_code() == 1009
    assert scene.limited == {"payload_limit_bytes": 1}


async def test_who_has_connected_may_send_long_packets(scene: Scene) -> None:
    """Over a WebSocket, and over one that the session was upgraded to."""
    async with (
        raw_socket(scene.port, WEBSOCKET) as socket,
        ClientSession() as http,
    ):
        await connected(scene, socket)
        socket.send(f'42["long","{"x" * 500_000}"]')
        await wait_until(lambda: scene.heard == [500_000], "it is heard")
        url = f"http://127.0.0.1:{scene.port}{POLLING}"
        async with http.get(url) as response:
            sid = (await response.text()).split('"sid":"')[1].split('"')[0]
        for body in ("40", f'42["long","{"x" * 400_000}"]'):
            async with http.post(f"{url}&sid={sid}", data=body) as response:
                assert response.status == 200
        async with raw_socket(scene.port, f"{WEBSOCKET}&sid={sid}") as upgraded:
            upgraded.send("2probe")
            assert await upgraded.text() == "3probe"
            long = client_frame(f'42["long","{"x" * 300_000}"]')
            upgraded.writer.write(client_frame("5") + long)
            await wait_until(lambda: scene.heard[1:] == [400_000, 300_000], "all")
    assert not scene.limited


async def test_a_users_connect_is_as_short(scene: Scene) -> None:
    """Being in one namespace is no way to have long tokens read for another."""
    async with raw_socket(scene.port, WEBSOCKET) as socket:
        await connected(scene, socket)
        socket.send('40/other,{"token":"' + "x" * LONG + '"}')
        assert await socket.close_code() == 1009


async def test_who_leaves_the_namespace_is_a_stranger_again(scene: Scene) -> None:
    """Else one session would be a way to hold much and be nobody."""
    async with raw_socket(scene.port, WEBSOCKET) as socket:
        await connected(scene, socket)
        socket.send("41")
        (session,) = scene.server.eio.sockets.values()
        await wait_until(lambda: not session.is_authenticated, "it has left")
        socket.writer.write(client_frame("4" + "x" * LONG)[:100])
        assert await socket.close_code() == 1009


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_strangers_long_post(scene: Scene, chunked: bool) -> None:
    """413, whether the length is announced or found out."""
    url = f"http://127.0.0.1:{scene.port}{POLLING}"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"4" * 1_000

    async with ClientSession() as http:
        async with http.get(url) as response:
            sid = (await response.text()).split('"sid":"')[1].split('"')[0]
        body = chunks() if chunked else b"4" * LONG
        async with http.post(f"{url}&sid={sid}", data=body) as response:
            assert response.status == 413


async def test_half_packets_of_all_strangers_are_bounded_together(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that passes the bound is cut off; who comes after the rest is served."""
    monkeypatch.setattr(held_bytes, "UNAUTHENTICATED_BYTES", 100_000)
    half = client_frame("40" + "x" * 30_000)[:30_000]
    async with AsyncExitStack() as stack:
        for number in range(1, 4):
            socket = await stack.enter_async_context(raw_socket(scene.port, WEBSOCKET))
            await socket.text()
            socket.writer.write(half)
            await wait_until(
                lambda n=number: scene.held > n * 29_000, "half of it is held"
            )
        last = await stack.enter_async_context(raw_socket(scene.port, WEBSOCKET))
        await last.text()
        last.writer.write(half)
        assert await last.ended()
        assert scene.limited == {"unauthenticated_bytes": 1}
        assert scene.held < 100_000
        async with raw_socket(scene.port, WEBSOCKET) as socket:
            await connected(scene, socket)


@pytest.mark.parametrize("line", [b"X-%d: " + b"x" * 8_000, b"X-%d: x"])
async def test_a_head_is_bounded_as_a_whole(scene: Scene, line: bytes) -> None:
    """However many headers there are: refused as soon as there are too many bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    writer.write(HEAD)
    async with asyncio.timeout(DEADLINE_SECONDS):
        for number in range(HEAD_LIMIT_BYTES // len(line) + 1):
            writer.write(line % number + b"\r\n")
        answer = await reader.readline()
    writer.close()
    assert answer.split()[1] == b"400"


async def test_an_unfinished_head_is_counted(scene: Scene) -> None:
    """Heads that never end are among what strangers may make us hold."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    writer.write(HEAD + b"X: " + b"x" * 5_000)
    await wait_until(lambda: scene.held > 5_000, "it is counted")
    writer.close()


async def test_heads_behind_each_other_count_one_by_one(scene: Scene) -> None:
    """A connection that is kept sends any number of them, and bodies of any length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    cookie = b"Cookie: " + b"x" * 8_000 + b"\r\n"
    body = b"\r\n\r\n" + b"x" * 200_000
    asked = HEAD + cookie + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for _ in range(6):
        # In pieces: the body's end is in one segment with the next head's begin.
        writer.write(asked)
    for _ in range(6):
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            assert int(await reader.readexactly(6)) == len(body)
    writer.close()
    assert not scene.limited


async def test_a_head_behind_a_poll_that_waits(scene: Scene) -> None:
    """A request that is being answered is no cover for the next one's head."""
    url = f"http://127.0.0.1:{scene.port}{POLLING}"
    async with ClientSession() as http, http.get(url) as response:
        sid = (await response.text()).split('"sid":"')[1].split('"')[0]
    reader, writer = await asyncio.open_connection("127.0.0.1", scene.port)
    writer.write(f"GET {POLLING}&sid={sid} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    polling = scene.server.eio.sockets[sid].polling
    assert polling is not None
    await wait_until(lambda: polling.poll_active, "the poll waits")
    line = b"X: " + b"x" * 8_000 + b"\r\n"
    writer.write(HEAD + line * 5)
    scene.server.eio.write(sid, "what the poll waits for")
    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await reader.read()
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.endswith(f"The head has more than {HEAD_LIMIT_BYTES} bytes".encode())
    writer.close()
