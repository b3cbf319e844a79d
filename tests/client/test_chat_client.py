"""The client package in Node, against real nodes: what its users rely on."""

import base64
import io
import time
from typing import Any

import jwt
import pytest
from PIL import Image

from realtime.auth.tokens import LEEWAY_SECONDS
from tests.client.chatting import ROOM, chat_client, in_room, shown
from tests.kit.javascript import Program, require_node
from tests.kit.nodes import run_process

pytestmark = pytest.mark.timeout(60)

SECRET = "a secret of thirty-two characters, at least"


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


def token(seconds: float) -> dict[str, str]:
    """Return an ``auth`` object whose token the server takes for so long."""
    exp = time.time() + seconds - LEEWAY_SECONDS
    claims: dict[str, Any] = {"sub": "ann", "exp": exp}
    return {"token": jwt.encode(claims, SECRET, "HS256")}


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
async def test_two_users_on_two_nodes_see_the_same(
    redis_url: str, transports: list[str]
) -> None:
    """Text, images, typing, presence and read marks cross nodes."""
    file = io.BytesIO()
    Image.new("RGB", (12, 8), "teal").save(file, "PNG")
    async with (
        run_process("--redis-url", redis_url) as one,
        run_process("--redis-url", redis_url) as two,
        in_room(one.url, "ann", transports=transports) as ann,
        in_room(two.url, "ben", transports=transports) as ben,
    ):
        await ann.until(
            lambda: set(ann.last("presence").get("online", [])) == {"ann", "ben"},
            "ann sees that ben is here",
        )
        ann.tell("send", room=ROOM, text="Hi")
        await ben.heard("message")
        picture = base64.b64encode(file.getvalue()).decode()
        ben.tell("send", room=ROOM, text="Look", images=[picture])
        image = (await ann.heard("message", 2))["image"]
        await ben.heard("message", 2)
        assert (image["mime"], image["width"], image["height"]) == ("image/png", 12, 8)
        ben.tell("send", room=ROOM, text="All", images=[picture] * 10)
        images = (await ann.heard("message", 3))["images"]
        await ben.heard("message", 3)
        assert [each["width"] for each in images] == [12] * 10
        assert shown(ann) == shown(ben) == [(1, "Hi"), (2, "Look"), (3, "All")]
        ann.tell("read", room=ROOM, message=3)
        await ben.until(
            lambda: ben.last("reads").get("reads") == {"ann": 3, "ben": 3},
            "ben sees that both have read all",
        )
        ann.tell("typing", room=ROOM, on=True)
        await ben.until(lambda: ben.last("typing").get("users") == ["ann"], "typing")
        ann.tell("typing", room=ROOM, on=False)
        await ben.until(lambda: ben.last("typing").get("users") == [], "typing ends")


async def test_catches_up_after_a_lost_connection(redis_url: str) -> None:
    """What was written while a client was away comes in order, once, as missed."""
    async with (
        run_process("--redis-url", redis_url) as node,
        in_room(node.url, "ann") as ann,
        in_room(node.url, "ben") as ben,
    ):
        ben.tell("send", room=ROOM, text="1")
        await ann.heard("message")
        ann.tell("drop")
        ben.tell("flow", room=ROOM, count=20, everyMs=1, prefix="x")
        await ann.heard("message", 21)
        await ben.heard("message", 21)
        assert shown(ann) == shown(ben)
        # One for the first join: the room was not made anew, nothing was shown twice.
        assert len(ann.all("replaced")) == 1


async def test_older_messages_come_page_by_page(redis_url: str) -> None:
    """A newcomer gets the newest page, and older ones on demand, from anywhere."""
    async with (
        run_process("--redis-url", redis_url) as node,
        in_room(node.url, "ann") as ann,
    ):
        ann.tell("flow", room=ROOM, count=70, everyMs=1, prefix="")
        await ann.heard("message", 70)
        async with in_room(node.url, "ben") as ben:
            held = [one["message"] for one in ben.all("replaced")[0]["messages"]]
            assert held == list(range(held[0], 71))
            ben.tell("history", room=ROOM, limit=10)
            page = await ben.heard("history")
            assert page["held"] == list(range(held[0] - 10, 71))
            ben.tell("jump", room=ROOM, to=5, limit=4)
            jumped = await ben.heard("jumped")
            assert jumped["at"] == 5
            gap = jumped["shown"].index([6, held[0] - 10])
            assert jumped["shown"][:gap] == [3, 4, 5, 6]
            ann.tell("edit", room=ROOM, message=5, text="five")
            assert (await ben.heard("changed"))["text"] == "five"
            ben.tell("rooms")
            assert (await ben.heard("rooms"))["rooms"][0]["lastMessage"] == 70


async def test_a_refused_message_is_the_users_to_decide(redis_url: str) -> None:
    """A permanent error marks the message; what was written after it goes out."""
    async with (
        run_process("--redis-url", redis_url) as node,
        in_room(node.url, "ann") as ann,
    ):
        ann.tell("send", room=ROOM, text="x" * 4001)
        ann.tell("send", room=ROOM, text="fine")
        assert (await ann.heard("failed"))["code"] == "invalid"
        await ann.heard("message")
        assert shown(ann) == [(1, "fine")]


async def test_a_room_that_grows_large_shows_counts_and_no_stale_names(
    redis_url: str,
) -> None:
    """Who is here is told by name no more; the count stays right, also as they go."""

    def seen(program: Program) -> tuple[list[str], int]:
        last = program.last("presence")
        return sorted(last.get("online", [])), last.get("count", 0)

    async with (
        run_process("--redis-url", redis_url, CHATROOM_ANNOUNCE_MEMBERS="2") as node,
        in_room(node.url, "ann") as ann,
    ):
        async with in_room(node.url, "ben"):
            await ann.until(lambda: seen(ann) == (["ann", "ben"], 2), "Ben is here")
            async with in_room(node.url, "cem"):
                await ann.until(lambda: seen(ann) == ([], 3), "three are here")
            await ann.until(lambda: seen(ann) == ([], 2), "Cem has gone")
        await ann.until(lambda: seen(ann) == ([], 1), "Ben has gone")


async def test_an_unlawful_room_is_refused(redis_url: str) -> None:
    """A room id that is none fails at once, without a request."""
    async with (
        run_process("--redis-url", redis_url) as node,
        chat_client(node.url, "ann") as ann,
    ):
        ann.tell("join", room="no spaces")
        assert (await ann.heard("not_joined"))["code"] == "invalid"


async def test_a_room_that_was_quit_stays_so_on_all_devices(redis_url: str) -> None:
    """The other device lets it go, and does not bring it back with a new connection."""
    async with (
        run_process("--redis-url", redis_url) as node,
        in_room(node.url, "ann") as desk,
        in_room(node.url, "ann") as phone,
    ):
        desk.tell("quit", room=ROOM)
        assert (await phone.heard("refused"))["code"] == "ended"
        phone.tell("drop")
        await phone.until(lambda: _is_back(phone), "it has come back")
        phone.tell("rooms")
        assert (await phone.heard("rooms"))["rooms"] == []


def _is_back(program: Program) -> bool:
    states = [line["state"] for line in program.all("status")]
    now = program.last("status")
    is_online = now["state"] == "online"
    return "reconnecting" in states and is_online and not now["isCatchingUp"]


async def test_a_token_is_renewed_without_a_gap(redis_url: str) -> None:
    """The application is asked ahead of time, and the session lives on."""
    async with (
        run_process("--redis-url", redis_url, CHATROOM_JWT_SECRET=SECRET) as node,
        chat_client(node.url, "", auth=token(4), hasHook=True) as ann,
    ):
        started = time.monotonic()
        ann.tell("join", room=ROOM)
        await ann.heard("joined")
        assert (await ann.heard("token_wanted"))["reason"] == "expiring"
        ann.tell("token", **token(3600))
        await ann.until(
            lambda: time.monotonic() > started + 5, "the old token has expired"
        )
        ann.tell("send", room=ROOM, text="still here")
        await ann.heard("message")
        states = [line["state"] for line in ann.all("status")]
        assert "unauthorized" not in states
        assert "reconnecting" not in states


async def test_an_expired_session_goes_on_with_a_new_token(redis_url: str) -> None:
    """Without a hook the state says `unauthorized` until a token is given."""
    async with (
        run_process("--redis-url", redis_url, CHATROOM_JWT_SECRET=SECRET) as node,
        chat_client(node.url, "", auth=token(5)) as ann,
    ):
        ann.tell("join", room=ROOM)
        await ann.heard("joined")
        await ann.until(
            lambda: ann.last("status").get("state") == "unauthorized", "it expires"
        )
        ann.tell("send", room=ROOM, text="written while signed out")
        ann.tell("token", **token(3600))
        await ann.heard("message")
        assert ann.last("status").get("state") == "online"
