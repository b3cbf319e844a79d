"""The unmodified ``socket.io-client`` in Node, against a real node."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from realtime.engineio.environ import Environ
from realtime.socketio.server import ChatroomServer
from tests.client.chatting import ROOM, socket_client
from tests.kit.javascript import Program, require_node
from tests.kit.nodes import run_process
from tests.kit.serving import serve_socketio
from tests.kit.waiting import wait_until

pytestmark = pytest.mark.timeout(60)

WAYS: dict[str, dict[str, Any]] = {
    "websocket": {"transports": ["websocket"]},
    "upgrade": {"transports": ["polling", "websocket"]},
    "polling": {"transports": ["polling"]},
}


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


async def ask(program: Program, event: str, **payload: Any) -> dict[str, Any]:
    """Emit and return the ack."""
    count = len(program.all("ack"))
    image = payload.pop("picture", None)
    program.tell("emit", name=event, payload=payload, image=image)
    answer = await program.heard("ack", count + 1)
    assert "error" not in answer, answer
    ack: dict[str, Any] = answer["ack"]
    return ack


def heard(program: Program, name: str) -> list[dict[str, Any]]:
    """Return the payloads of a broadcast."""
    return [line["payload"] for line in program.all("heard") if line["name"] == name]


def picture() -> str:
    """Return a PNG in base64."""
    file = io.BytesIO()
    Image.new("RGB", (12, 8), "teal").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("way", WAYS)
async def test_talks_over_every_transport(redis_url: str, way: str) -> None:
    """Join, text, image, typing and read marks work over each way to connect."""
    async with (
        run_process("--redis-url", redis_url) as node,
        socket_client(node.url, {"user": "ann"}, **WAYS[way]) as ann,
        socket_client(node.url, {"user": "ben"}) as ben,
    ):
        first = WAYS[way]["transports"][0]
        assert (await ann.heard("open"))["transport"] == first
        if way == "upgrade":
            assert (await ann.heard("upgrade"))["transport"] == "websocket"
        for program in (ann, ben):
            assert (await ask(program, "join", room=ROOM))["ok"] is True
        ack = await ask(ann, "send", room=ROOM, clientId="a1", type="text", text="Hi")
        assert (ack["message"], ack["duplicate"]) == (1, False)
        ack = await ask(
            ben, "send", room=ROOM, clientId="b1", type="image", picture=picture()
        )
        assert ack["ok"] is True
        await ann.until(lambda: len(heard(ann, "message")) == 2, "both messages")
        image = heard(ann, "message")[1]["image"]
        assert (image["mime"], image["width"], image["height"]) == ("image/png", 12, 8)
        await ask(ben, "mark_read", room=ROOM, message=2)
        await ask(ben, "typing", room=ROOM, on=True)
        await ann.until(lambda: heard(ann, "typing"), "ben is typing")
        assert {"room": ROOM, "user": "ben", "on": True} in heard(ann, "typing")


async def test_upgrades_while_it_is_being_let_in() -> None:
    """A server takes its time over CONNECT, and the client is upgraded meanwhile."""
    server = ChatroomServer(namespaces=["/chat"], async_mode="aiohttp")

    async def connect(_sid: str, _environ: Environ, _auth: object) -> None:
        (session,) = server.eio.sockets.values()
        await wait_until(lambda: session.upgraded, "the upgrade")

    server.on("connect", connect, namespace="/chat")
    async with (
        serve_socketio(server) as port,
        socket_client(f"http://127.0.0.1:{port}", {"user": "ann"}) as ann,
    ):
        assert (await ann.heard("open"))["transport"] == "polling"
        assert (await ann.heard("upgrade"))["transport"] == "websocket"
        await ann.heard("connect")
        assert not ann.all("disconnect")


async def test_gets_an_error_with_a_code_for_each_mistake(redis_url: str) -> None:
    """Wrong payloads, unknown events and absent rooms are answered; nothing breaks."""
    async with (
        run_process("--redis-url", redis_url) as node,
        socket_client(node.url, {"user": "ann"}) as ann,
    ):
        wrong = await ask(ann, "join", room="no spaces")
        assert (wrong["ok"], wrong["error"]["code"]) == (False, "invalid")
        assert (await ask(ann, "dance"))["error"]["code"] == "unknown_event"
        absent = await ask(ann, "typing", room=ROOM, on=True)
        assert absent["error"]["code"] == "not_attending"
        assert (await ask(ann, "rooms")) == {"ok": True, "rooms": [], "more": False}
        assert not ann.all("disconnect")


async def test_is_refused_with_a_code(redis_url: str) -> None:
    """Whoever says nothing of themselves is refused, for good, and told why."""
    async with (
        run_process("--redis-url", redis_url) as node,
        socket_client(node.url, {}) as nobody,
    ):
        refusal = await nobody.heard("connect_error")
        assert refusal["data"]["code"] == "unauthorized"
        assert refusal["active"] is False


@pytest.mark.parametrize("way", WAYS)
async def test_comes_back_after_the_node_was_killed(redis_url: str, way: str) -> None:
    """After a SIGKILL the client reconnects by itself and recovers from its cursor."""
    async with (
        run_process("--redis-url", redis_url) as first,
        socket_client(first.url, {"user": "ann"}, **WAYS[way]) as ann,
        socket_client(first.url, {"user": "ben"}) as ben,
    ):
        cursor = (await ask(ann, "join", room=ROOM))["cursor"]
        await ask(ben, "join", room=ROOM)
        first.kill()
        await first.ended()
        await ann.heard("disconnect")
        async with run_process("--redis-url", redis_url, port=first.port):
            await ann.heard("connect", 2)
            await ben.heard("connect", 2)
            await ask(ben, "join", room=ROOM)
            await ask(ben, "send", room=ROOM, clientId="b1", type="text", text="missed")
            again = await ask(ann, "sync", rooms=[{"room": ROOM, "cursor": cursor}])
            room = again["rooms"][0]
            assert room["recovered"] is True
            assert [one["text"] for _name, one in room["events"]] == ["missed"]
