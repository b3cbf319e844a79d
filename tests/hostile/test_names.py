"""Rooms, users and origins whose names try to be something else."""

import json

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.socketio.packets import JSON_CHARACTERS
from schemas.field_types import ROOM_ID_PATTERN
from tests.hostile.fuzzing import bounded
from tests.hostile.scene import Scene
from tests.kit.holdings import redis_keys
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.redis_server import RedisServer

ROOM_NAMES = (
    "*",
    "?",
    "[a-z]",
    "a*",
    "{a}b",
    "}{",
    "a}:log",
    "{chatroom-a}:log",
    "chatroom:secret",
    "chatroom:nodes",
    "__keyspace@0__:*",
    "__keyevent@0__:set",
    "__redis__:invalidate",
    "a\nb",
    "a\r\nDEL x",
    "a\r\n$3\r\nfoo",
    "a b",
    " a",
    "a ",
    "a\tb",
    "a\x00",
    "a\u0000b",
    "\u00e9",
    "\u0430nn",
    "\uff41",
    "\u200ba",
    "\u202ea",
    "\U0001f600",
    "\ud800",
    "../a",
    "..",
    ".",
    "/",
    "a/b",
    "a\\b",
    "a,b",
    "/chat,",
    "a:b",
    "%2a",
    "%00",
    "${a}",
    "'a'",
    '"a"',
    "a;b",
    "<b>",
    "",
    "a" * 65,
    "a" * 1_000_000,
    "\u0661",
)


async def test_room_names_never_reach_redis(scene: Scene) -> None:
    """Refused with the field's name in every event with a room, before Redis hears.

    No key and no channel comes into being, by none of 49 names.
    """
    admin = scene.redis.admin
    channels = set(admin.pubsub_channels())
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        commands = admin.info("commandstats")
        for room in ROOM_NAMES:
            for event, more in (
                ("join", {}),
                ("leave", {}),
                ("quit", {}),
                ("history", {}),
                ("typing", {"on": True}),
                ("mark_read", {"message": 1}),
                ("send", {"clientId": "c", "type": "text", "text": "x"}),
            ):
                answer = await chat.ask(json.dumps([event, {"room": room, **more}]))
                if len(room) > JSON_CHARACTERS:
                    assert answer["error"]["code"] == "too_large", event
                    continue
                assert answer["error"]["code"] == "invalid", (event, room)
                assert "room" in answer["error"]["fields"]
            answer = await chat.ask(json.dumps(["sync", {"rooms": [{"room": room}]}]))
            if len(room) <= JSON_CHARACTERS:
                assert "rooms.0.room" in answer["error"]["fields"], answer
        after = admin.info("commandstats")
        assert set(admin.pubsub_channels()) == channels
        for name in ("subscribe", "publish", "sadd", "hget", "hexists"):
            key = f"cmdstat_{name}"
            assert commands.get(key, {}).get("calls") == after.get(key, {}).get("calls")
    assert scene.new_keys() == set()


@bounded(300)
@given(room=st.text(max_size=70) | st.from_regex(r"[\w*?{}\[\]:.-]{1,70}\Z"))
async def test_a_room_s_name_is_what_the_pattern_says(scene: Scene, room: str) -> None:
    """Whatever is no 1-64 of A-Z a-z 0-9 _ - is no room; ASCII, not Unicode, counts."""
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        answer = await chat.ask(json.dumps(["leave", {"room": room}]))
    allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
    is_room = 1 <= len(room) <= 64 and set(room) <= set(allowed)
    assert answer["ok"] is is_room
    assert bool(ROOM_ID_PATTERN.fullmatch(room)) is is_room


async def test_names_that_fit_are_only_names(scene: Scene) -> None:
    """What the pattern allows is a room like others, whatever it looks like."""
    names = ("chatroom-", "user-ann", "node-1", "__proto__", "null", "-", "0", "a" * 64)
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        for name in names:
            answer = await chat.ask(json.dumps(["join", {"room": name}]))
            assert answer["ok"]
            assert answer["room"] == name
            assert answer["online"] == ["mallory"]
            own = f"{{chatroom-{name}}}:".encode()
            assert any(key.startswith(own) for key in scene.new_keys())
            assert (await chat.ask(json.dumps(["quit", {"room": name}])))["ok"]
    await scene.goes_on()


async def test_nobody_makes_rooms_without_end(
    redis_server: RedisServer, clean_log: pytest.LogCaptureFixture
) -> None:
    """A user is a member of so many rooms; further ones leave no key behind.

    Leaving a room is no way around: only quitting it makes place for another one.
    """
    async with (
        run_nodes(1, redis_server.url, user_rooms=3) as (node,),
        raw_chat(node, {"user": "mallory"}) as chat,
    ):
        for number in range(3):
            room = {"room": f"r{number}"}
            assert (await chat.ask(json.dumps(["join", room])))["ok"]
            assert (await chat.ask(json.dumps(["leave", room])))["ok"]
        before = redis_keys(redis_server.admin)
        more = [{"room": f"more-{number}"} for number in range(20)]
        for room in more:
            answer = await chat.ask(json.dumps(["join", room]))
            assert answer["error"]["code"] == "too_large"
        answer = await chat.ask(json.dumps(["sync", {"rooms": more}]))
        assert {each["error"]["code"] for each in answer["rooms"]} == {"too_large"}
        assert redis_keys(redis_server.admin) == before
        assert (await chat.ask(json.dumps(["quit", {"room": "r0"}])))["ok"]
        assert (await chat.ask(json.dumps(["join", more[0]])))["ok"]


USERS_REFUSED = ("", "x" * 129, "a\nb", "a\x00", "\x7f", "\x85", "\ud800", "a\r\nDEL x")


async def test_user_names_that_are_none(scene: Scene) -> None:
    """Control characters, halves of characters, too long: nobody."""
    for user in USERS_REFUSED:
        async with raw_chat(scene.node) as chat:
            answer = await chat.connect({"user": user})
            assert answer["data"]["code"] in ("invalid", "unauthorized"), repr(user)
    assert scene.new_keys() == set()


LISTED = "https://chat.example"
OTHERS = (
    "null",
    "http://chat.example",
    "https://chat.example:443",
    "https://chat.example:8443",
    "https://chat.example.evil.example",
    "https://evil-chat.example",
    "https://evil.example/https://chat.example",
    "https://evil.example?https://chat.example",
    "https://evil.example#https://chat.example",
    "https://chat.example@evil.example",
    "https://user:pw@chat.example",
    "https://chat.example/",
    "https://chat.example.",
    "https://CHAT.example",
    "HTTPS://chat.example",
    " https://chat.example x",
    "https://chat.example, https://evil.example",
    "https://chat.example https://evil.example",
    "https://chаt.example",
    "https://*.example",
    "*",
    "file://",
    "chat.example",
    "//chat.example",
    "javascript:alert(1)",
    "http://127.0.0.1",
    "http://localhost",
)


async def opened(node: Node, origin: str | None, websocket: bool) -> int:
    """Ask for a session as a page of this origin does; return the status."""
    kind = "websocket" if websocket else "polling"
    url = f"{node.url}/socket.io/?EIO=4&transport={kind}"
    headers = {} if origin is None else {"Origin": origin}
    async with aiohttp.ClientSession() as http:
        if not websocket:
            async with http.get(url, headers=headers) as answer:
                shown = answer.headers.get("Access-Control-Allow-Origin")
                assert shown in (None, origin)
                assert answer.status == 200 or shown is None
                return answer.status
        try:
            async with http.ws_connect(url, headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])
async def test_pages_of_other_origins_cannot_connect(
    redis_url: str, clean_log: pytest.LogCaptureFixture, websocket: bool
) -> None:
    """An origin is listed, character by character, or it is refused."""
    async with run_nodes(1, redis_url, allowed_origins=(LISTED,)) as (node,):
        assert await opened(node, LISTED, websocket) in (101, 200)
        assert await opened(node, None, websocket) in (101, 200)
        for origin in (*OTHERS, node.url):
            assert await opened(node, origin, websocket) in (400, 403), origin


@pytest.mark.parametrize("websocket", [True, False], ids=["websocket", "polling"])
async def test_without_a_list_only_the_server_s_own_pages_may(
    redis_url: str, clean_log: pytest.LogCaptureFixture, websocket: bool
) -> None:
    """Scheme, host and port as the browser asked for them; nothing near to it."""
    async with run_nodes(1, redis_url) as (node,):
        host = node.url.removeprefix("http://")
        assert await opened(node, node.url, websocket) in (101, 200)
        for origin in (
            *OTHERS,
            f"https://{host}",
            f"http://{host}0",
            f"http://x{host}",
            f"http://{host}/",
            f"http://{host}.evil.example",
            f"http://{host}@evil.example",
        ):
            assert await opened(node, origin, websocket) in (400, 403), origin


async def test_a_preflight_grants_a_stranger_nothing(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> None:
    """No origin, method or header is allowed to a page that is not listed."""
    async with run_nodes(1, redis_url, allowed_origins=(LISTED,)) as (node,):
        url = f"{node.url}/socket.io/?EIO=4&transport=polling"
        for origin in OTHERS:
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "X-Forwarded-Host",
            }
            async with (
                aiohttp.ClientSession() as http,
                http.options(url, headers=headers) as answer,
            ):
                assert answer.status in (400, 403), origin
                allowed = [n for n in answer.headers if n.startswith("Access-Control")]
                assert allowed == [], origin
