"""Who, where, when and which number: the server's word, never the client's."""

import json
import time
from typing import Any

import pytest

from realtime.auth.authenticator import make_token
from schemas.catalog import REQUESTS
from tests.hostile.board import GUESSED
from tests.hostile.scene import TALK, Scene
from tests.kit.members import text_of
from tests.kit.nodes import run_nodes
from tests.kit.raw_chat import RawChat, raw_chat
from tests.kit.recording import recording

FORGED: dict[str, Any] = {
    "user": "ann",
    "by": "ann",
    "sub": "ann",
    "name": "Ann",
    "at": 1,
    "uid": "AAAAAAAAAAAA",
    "offset": 1,
    "duplicate": True,
    "durability": "fsync",
    "role": "admin",
    "sid": "x",
    "to": TALK,
    "namespace": "/",
    "skip_sid": "x",
    "lastReadMessage": 1,
    "online": True,
    "_placeholder": True,
}
# Above.
USUAL = ("send", "mark_read", "typing", "history")
PAYLOADS: dict[str, dict[str, Any]] = {
    "join": {"room": TALK},
    "sync": {"rooms": [{"room": TALK}]},
    "leave": {"room": "another"},
    "quit": {"room": "another"},
    "send": text_of("hello", TALK),
    "mark_read": {"room": TALK, "message": 1},
    "typing": {"room": TALK, "on": True},
    "history": {"room": TALK},
    "rooms": {},
    "me": {},
    "room_mine": {"room": TALK, "muted": True},
    "mark_unread": {"room": TALK, "on": True},
    "refresh": {"token": "x"},
    **{name: payloads[0] for name, payloads in GUESSED.items() if name not in USUAL},
    "room_create": {"kind": "public", "clientId": "c"},
    "block": {"user": "bob", "on": True},
    "blocks": {},
}


@pytest.mark.parametrize("event", sorted(REQUESTS))
async def test_no_forged_field_is_believed(mallory: RawChat, event: str) -> None:
    """A field that is the server's to fill is refused by its name, in every event."""
    payload = PAYLOADS[event]
    asked_for = REQUESTS[event].payload.fields
    forged = {name: one for name, one in FORGED.items() if name not in asked_for}
    for name, value in forged.items():
        answer = await mallory.ask(json.dumps([event, {**payload, name: value}]))
        assert answer["ok"] is False, name
        assert answer["error"]["code"] == "invalid", (name, answer)
        assert name in answer["error"]["fields"], answer
    if event == "sync":
        for name, value in FORGED.items():
            item = {"room": TALK, name: value}
            answer = await mallory.ask(json.dumps(["sync", {"rooms": [item]}]))
            assert f"rooms.0.{name}" in answer["error"]["fields"], answer


async def test_a_message_is_its_sender_s(scene: Scene, mallory: RawChat) -> None:
    """User, number, place and time come from the server, whatever the text says."""
    before = time.time()
    forged = json.dumps(["message", {"user": "ann", "offset": 1, "message": 1}])
    texts = (
        forged,
        '","user":"ann","at":1,"x":"',
        '{"method":"emit","event":"message","room":"chatroom-x"}',
        '\\","user\\":\\"ann',
        "\u2028\u2029]}",
        '"type":"image","url":"/images/' + "0" * 64 + '.png?expires=1&signature=x"',
    )
    for text in texts:
        send = text_of(text, TALK)
        ack = await mallory.ask(json.dumps(["send", send]))
        seen = await scene.bob.next("message", clientId=send["clientId"])
        assert seen["text"] == text.strip("\u2028\u2029")
        assert (seen["user"], seen["room"]) == ("mallory", TALK)
        assert {"message", "offset", "uid", "at"} <= set(ack)
        for name in ("message", "offset", "uid", "at"):
            assert seen[name] == ack[name]
        assert abs(seen["at"] / 1000 - before) < 60
        stored = await scene.ann.do("history", {"room": TALK, "limit": 1})
        assert stored["messages"] == [seen]


async def test_marks_and_typing_are_one_s_own(scene: Scene, mallory: RawChat) -> None:
    """What others are told of a user is what that user's session did."""
    await mallory.ask(json.dumps(["typing", {"room": TALK, "on": True}]))
    assert (await scene.bob.next("typing"))["user"] == "mallory"
    await scene.goes_on()
    ack = await mallory.ask(
        json.dumps(["mark_read", {"room": TALK, "message": 2**53 - 1}])
    )
    assert ack["unread"] == 0
    mark = await scene.bob.next("read", user="mallory")
    assert mark["lastReadMessage"] == ack["lastReadMessage"] < 1_000
    state = await scene.ann.do("join", {"room": TALK})
    assert set(state["reads"]) == {"ann", "bob", "mallory"}
    assert state["reads"]["bob"] < ack["lastReadMessage"]


async def test_a_client_id_is_one_user_s(scene: Scene, mallory: RawChat) -> None:
    """Somebody else's `clientId` neither finds their message nor keeps it out."""
    send = text_of("ann's", TALK, "shared-id")
    first = await scene.ann.do("send", send)
    second = await mallory.ask(json.dumps(["send", {**send, "text": "mallory's"}]))
    assert second["ok"]
    assert second["duplicate"] is False
    assert second["message"] > first["message"]
    again = await scene.ann.do("send", {**send, "text": "changed"})
    assert (again["duplicate"], again["message"]) == (True, first["message"])


PAIRS = (
    ("a", "a:b"),
    ("x}y", "x"),
    ("{user-a}", "a"),
    ("50%", "50%25"),
    ("e\u0301", "\u00e9"),
    ("ann ", "ann"),
    ("Ann", "ann"),
    ("*", "ann"),
    ("a/../b", "b"),
)


@pytest.mark.parametrize(("one", "two"), PAIRS)
async def test_users_of_like_names_are_two_users(
    redis_url: str, clean_log: pytest.LogCaptureFixture, one: str, two: str
) -> None:
    """No user id reaches what another one's is kept under: rooms, marks, sends."""
    async with (
        run_nodes(1, redis_url) as (node,),
        recording(node, one) as first,
        recording(node, two) as second,
    ):
        await first.do("join", {"room": "r1"})
        await first.do("send", text_of("hi", "r1", "c"))
        assert (await second.do("rooms"))["rooms"] == []
        assert (await second.refused("history", {"room": "r1"}))["code"] == "forbidden"
        joined = await second.do("join", {"room": "r1"})
        assert set(joined["online"]) == {one, two}
        sent = await second.do("send", text_of("hi", "r1", "c"))
        assert sent["duplicate"] is False
        await second.do("quit", {"room": "r1"})
        assert len((await first.do("rooms"))["rooms"]) == 1


async def test_what_auth_says_besides_the_token(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> None:
    """With tokens the user is the token's `sub`; no other field is listened to."""
    secret = "a secret of the hostile suite, long enough"
    token = make_token("mallory", secret=secret)
    more = {"user": "ann", "sub": "ann", "name": "Ann", "expires_at": 2**52, "sid": "x"}
    async with (
        run_nodes(1, redis_url, jwt_secret=secret) as (node,),
        raw_chat(node, {"token": token, **more}) as chat,
    ):
        answer = await chat.ask('["join",{"room":"r"}]')
        assert answer["online"] == ["mallory"]
        for forged in ({"user": "ann"}, {"user": "ann", "token": None}):
            async with raw_chat(node) as other:
                refusal = await other.connect(forged)
                assert refusal["data"]["reason"] == "token_missing"
