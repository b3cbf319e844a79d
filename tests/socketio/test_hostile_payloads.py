"""Bad input: each kind gets its own clear error, and the conversation goes on."""

import json
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from realtime.socketio.packets import JSON_CHARACTERS
from realtime.store.read_marks import ReadMarks
from schemas.catalog import REQUESTS
from tests.kit.logs import check_log
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import RawChat, raw_chat
from tests.kit.recording import RecordingClient, recording
from tests.kit.waiting import wait_until

ROOM = "42"
SEND: dict[str, Any] = {"room": ROOM, "clientId": "c1", "type": "text", "text": "hi"}


@dataclass
class Scene:
    """A node where two people talk while a third one misbehaves."""

    node: Node
    ann: RecordingClient
    bob: RecordingClient
    mallory: RawChat

    async def check(self) -> None:
        """The misbehaving connection lives, and the others still hear each other."""
        assert (await self.mallory.ask('["rooms"]'))["ok"]
        text = uuid.uuid4().hex
        await self.ann.do("send", {**SEND, "clientId": text, "text": text})
        assert (await self.bob.next("message", text=text))["user"] == "ann"


@pytest.fixture
async def scene(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Scene]:
    """The scene; after the test it must go on, and the log hold no traceback."""
    async with (
        run_nodes(1, redis_url) as (node,),
        recording(node, "ann") as ann,
        recording(node, "bob") as bob,
        raw_chat(node, {"user": "mallory"}) as mallory,
    ):
        for client in (ann, bob):
            await client.do("join", {"room": ROOM})
        assert (await mallory.ask(f'["join",{{"room":"{ROOM}"}}]'))["ok"]
        scene = Scene(node, ann, bob, mallory)
        yield scene
        await scene.check()
    check_log(caplog)


async def refused(scene: Scene, event_array: str, code: str, *fields: str) -> None:
    """Expect an error of this code that names these fields."""
    answer = await scene.mallory.ask(event_array)
    assert answer["ok"] is False, f"{event_array[:80]} was accepted"
    error = answer["error"]
    assert error["code"] == code, f"{event_array[:80]}: {error}"
    assert error["temporary"] is False
    assert len(error["message"]) > 5
    assert set(fields) <= set(error.get("fields", ())), f"{event_array[:80]}: {error}"


def send_of(**members: object) -> str:
    return json.dumps(["send", {**SEND, **members}])


async def test_payloads_of_another_shape(scene: Scene) -> None:
    """No argument, too many, or something that is no object, for every event."""
    for event in REQUESTS:
        for rest in ("null", "5", "true", '"x"', "[]", "{},{}", "null,null"):
            await refused(scene, f'["{event}",{rest}]', "invalid", "payload")
        if not REQUESTS[event].bare:
            await refused(scene, f'["{event}"]', "invalid", "payload")


async def test_unknown_fields(scene: Scene) -> None:
    """A field that does not exist is named, also one of JavaScript's own."""
    for name in (
        "roomm",
        "user",
        "at",
        "offset",
        "__proto__",
        "constructor",
        "",
        "_schema",
    ):
        path = {"": "payload", "_schema": "payload"}.get(name, name)
        await refused(scene, send_of(**{name: 1}), "invalid", path)
    many = {f"field{number}": number for number in range(3_000)}
    answer = await scene.mallory.ask(send_of(**many))
    assert len(answer["error"]["fields"]) <= 20


async def test_texts_that_cannot_be_shown(scene: Scene) -> None:
    """Empty, too long, control characters, half characters: which, and where."""
    for text in (
        "",
        "  \n",
        "x" * 4_001,
        "a\x00b",
        "\x1b[31m",
        "a\rb",
        "\ud83d",
        "\ude00",
    ):
        await refused(scene, send_of(text=text), "invalid", "text")
    for other in (5, None, True, [], {}, ["hi"], {"text": "hi"}):
        await refused(scene, send_of(text=other), "invalid", "text")


async def test_numbers_that_are_none(scene: Scene) -> None:
    """Huge, negative, fractional, and strings of digits.

    NaN is no JSON: such a packet closes the connection (tests/engine).
    """
    huge = "9" * 5_000
    for number in ("0", "-1", "1.5", "1.0", "1e3", "1e999", huge):
        for event, field in (("mark_read", "message"), ("history", "before")):
            frame = f'["{event}",{{"room":"{ROOM}","{field}":{number}}}]'
            await refused(scene, frame, "invalid", field)
    others: tuple[object, ...] = (2**53, 2**63, 2**64, "1", True, None, [1])
    for other in others:
        await refused(scene, send_of(replyTo=other), "invalid", "replyTo")


async def test_rooms_that_try_to_be_something_else(scene: Scene) -> None:
    """Redis keys and patterns, paths, channels, and other types."""
    names = (
        "*",
        "a*",
        "[a]",
        "?",
        "{42}",
        "chatroom-42:log",
        "../42",
        "42\n",
        "x" * 65,
    )
    for event in ("join", "leave", "quit", "history"):
        for room in (*names, "", " ", "é", 42, None, True, ["42"], {"room": "42"}):
            await refused(scene, json.dumps([event, {"room": room}]), "invalid", "room")


async def test_nested_junk(scene: Scene) -> None:
    """Deep and wide structures cost little and are refused like others."""
    deep = "[" * 150 + "]" * 150
    await refused(scene, f'["send",{deep}]', "invalid", "payload")
    await refused(scene, f'["join",{{"room":{deep}}}]', "invalid", "room")
    wide = json.dumps([{"room": str(number)} for number in range(900)])
    await refused(scene, f'["sync",{{"rooms":{wide}}}]', "invalid", "rooms")
    await refused(
        scene, '["sync",{"rooms":[{"room":"1"},{}]}]', "invalid", "rooms.1.room"
    )
    twice = '["sync",{"rooms":[{"room":"1"},{"room":"1"}]}]'
    await refused(scene, twice, "invalid", "rooms.1")


async def test_images_that_are_none(scene: Scene) -> None:
    """Texts in an image's place, bytes in a text's place, files of other kinds."""
    odds: tuple[object, ...] = ("data:image/png;base64,AA==", None, 5, {"url": "/x"})
    for odd in odds:
        await refused(scene, send_of(type="image", image=odd), "invalid", "image")
    await refused(scene, send_of(type="image"), "invalid", "image")
    place = {"_placeholder": True, "num": 0}
    for members, field in (
        ({"type": "image", "image": place}, "image"),
        ({"text": place}, "text"),
        ({"room": place}, "room"),
        ({"clientId": place}, "clientId"),
        ({"more": place}, "more"),
    ):
        answer = await scene.mallory.ask(send_of(**members), b"<svg onload=alert(1)>")
        assert answer["error"]["code"] == "invalid"
        assert field in answer["error"]["fields"], answer
    answer = await scene.mallory.ask('["send",{"_placeholder":true,"num":0}]', b"x")
    assert answer["error"]["fields"] == {"payload": ["Must be an object."]}


async def test_an_image_over_the_limit(scene: Scene) -> None:
    """Its size is the error, not its content."""
    image = send_of(type="image", image={"_placeholder": True, "num": 0})
    answer = await scene.mallory.ask(image, b"\0" * (8 * 1024 * 1024 + 1))
    assert answer["error"]["code"] == "too_large"


async def test_events_for_rooms_not_joined(scene: Scene) -> None:
    """Who does not attend cannot write; who is no member learns nothing."""
    for payload in ({**SEND, "room": "7"}, {**SEND, "room": "nowhere"}):
        await refused(scene, json.dumps(["send", payload]), "not_attending")
    typing = {"room": "7", "on": True}
    await refused(scene, json.dumps(["typing", typing]), "not_attending")
    await scene.ann.do("join", {"room": "7"})
    for room in ("7", "nowhere"):
        history = json.dumps(["history", {"room": room}])
        await refused(scene, history, "forbidden")
        mark = json.dumps(["mark_read", {"room": room, "message": 1}])
        await refused(scene, mark, "forbidden")
    for event in ("leave", "quit"):
        assert (await scene.mallory.ask(f'["{event}",{{"room":"nowhere"}}]'))["ok"]


async def test_unknown_events(scene: Scene) -> None:
    """A name that is not in the catalogue is answered, whatever it looks like."""
    for name in (
        "bogus",
        "SEND",
        "message",
        "read",
        "on_send",
        "trigger_event",
        "*",
        "",
    ):
        await refused(scene, json.dumps([name, {}]), "unknown_event")
    for name in ("__init__", "emit", "disconnecting", "\ud83d", "x" * 10_000, "a b"):
        await refused(scene, json.dumps([name, {}]), "unknown_event")


async def test_events_with_the_names_of_the_connection(scene: Scene) -> None:
    """`connect` and `disconnect` from a client run no handler of the server."""
    for name in ("connect", "disconnect", "connect_error"):
        for rest in ("", ",{}", ',{},{"user":"ann"}', ',"transport close"'):
            await refused(scene, f'["{name}"{rest}]', "unknown_event")
    # Still the same session: nobody logged out, nobody became somebody else.
    assert (await scene.mallory.ask(send_of(text="me")))["ok"]
    assert (await scene.ann.next("message", text="me"))["user"] == "mallory"


async def test_a_forged_sender_is_not_believed(scene: Scene) -> None:
    """Fields that the server sets cannot be sent."""
    for field in ("user", "by", "offset", "uid", "message", "at"):
        await refused(scene, send_of(**{field: "ann"}), "invalid", field)


async def test_requests_without_ack(scene: Scene) -> None:
    """They are carried out all the same; what fails is counted."""
    await scene.mallory.send(f"42/chat,{send_of(text='no ack')}")
    assert await scene.bob.next("message", text="no ack")
    for frame in (send_of(text=""), '["bogus"]', '["send"]', '["connect"]'):
        await scene.mallory.send(f"42/chat,{frame}")
    await scene.check()
    assert not [frame for frame in scene.mallory.received if frame.startswith("43")]


async def test_a_defect_of_the_server_is_internal(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets `internal`, the log one traceback with event and session."""

    async def broken(*_arguments: object, **_keywords: object) -> None:
        raise ZeroDivisionError("a defect, with a secret text")

    monkeypatch.setattr(ReadMarks, "mark", broken)
    async with run_nodes(1, redis_url) as (node,), recording(node, "ann") as ann:
        await ann.do("join", {"room": ROOM})
        with caplog.at_level(logging.ERROR):
            error = await ann.refused("mark_read", {"room": ROOM, "message": 1})
        assert error["code"] == "internal"
        assert "secret" not in json.dumps(error)
        assert await ann.do("rooms")
        sid = ann.sio.get_sid("/chat")
    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert record.exc_info
    assert record.getMessage() == f"mark_read of session {sid} failed"


@pytest.mark.parametrize(
    ("auth", "code", "word"),
    [
        (None, "unauthorized", "auth {user}"),
        ({}, "unauthorized", "auth {user}"),
        ({"token": "x"}, "unauthorized", "auth {user}"),
        ({"user": 5}, "invalid", "string"),
        ({"user": "a\nb"}, "invalid", "U+000A"),
        ({"user": "x" * 129}, "invalid", "128"),
        ({"user": "ann", "device": "a b"}, "invalid", "device"),
    ],
)
async def test_connecting_without_being_somebody(
    redis_url: str, auth: object, code: str, word: str
) -> None:
    """The refusal is a connect_error with a code; the same connection may try again."""
    async with run_nodes(1, redis_url) as (node,), raw_chat(node) as chat:
        refusal = await chat.connect(auth)
        assert refusal["data"]["code"] == code, refusal
        assert word in refusal["message"]
        assert "sid" in await chat.connect({"user": "ann"})
        assert (await chat.ask('["rooms"]'))["ok"]


async def test_what_is_no_packet_closes_that_connection_only(scene: Scene) -> None:
    """The protocols say so for what cannot be parsed; nobody else notices."""
    for frame in ("42/chat,1[", "42/chat,1{}", "42/chat,1" + "[" * 4_000, "49", "4"):
        async with raw_chat(scene.node, {"user": "eve"}) as eve:
            await eve.send(frame)
            await eve.closed()
        await scene.check()


async def test_a_session_that_ends_is_forgotten(scene: Scene) -> None:
    """Nothing of a connection stays behind when it ends in mid-request."""
    async with raw_chat(scene.node, {"user": "eve"}) as eve:
        await eve.send(f'42/chat,["join",{{"room":"{ROOM}"}}]')

    async def only_we_are_here() -> bool:
        answer = await scene.ann.do("sync", {"rooms": [{"room": ROOM}]})
        return bool(answer["rooms"][0]["online"] == ["ann", "bob", "mallory"])

    await wait_until(only_we_are_here, "eve is off the list")


@pytest.mark.parametrize("nested", [False, True])
async def test_many_fields_are_refused_before_they_are_looked_at(
    scene: Scene, nested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Naming what is wrong with each of thousands took seconds."""
    looked_at: list[object] = []
    schema = REQUESTS["sync"].payload
    load = schema.load

    def count(payload: Any) -> Any:
        looked_at.append(payload)
        return load(payload)

    monkeypatch.setattr(schema, "load", count)
    many = "{" + ",".join(f'"{n:x}":0' for n in range(4_000)) + "}"
    text = '{"rooms":[' + many + "]}" if nested else many
    answer = await scene.mallory.ask(f'["sync",{text}]')
    assert answer["error"]["code"] == "invalid"
    assert list(answer["error"]["fields"]) == ["payload"]
    assert not looked_at
    await scene.mallory.ask('["sync",{"unknown":1}]')
    assert len(looked_at) == 1


async def test_a_packet_of_too_much_json(scene: Scene) -> None:
    """It is answered, not read: the connection goes on, and nobody waits for it."""
    payload = '{"text":"' + "x" * JSON_CHARACTERS + '"}'
    answer = await scene.mallory.ask(f'["send",{payload}]')
    assert answer["error"]["code"] == "too_large"
    assert scene.node.parts.limited["json_characters"] == 1


@pytest.mark.parametrize(
    "payload",
    [
        "[" + ",".join(["[]"] * 80_000) + "]",
        "{" + ",".join(f'"{n}":{n}' for n in range(16_000)) + "}",
        json.dumps({**SEND, "text": 'a\\"' * 900, "unknown": [[]] * 4_000}),
    ],
    ids=["lists", "fields", "beside a text"],
)
async def test_a_packet_of_too_many_values(
    scene: Scene, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is answered, not decoded: hundreds of them at once were 760 MB."""
    decoded: list[int] = []
    loads = scene.node.parts.server.packet_class.json.loads

    def count(text: str) -> Any:
        decoded.append(len(text))
        return loads(text)

    monkeypatch.setattr(scene.node.parts.server.packet_class.json, "loads", count)
    answer = await scene.mallory.ask(f'["send",{payload}]')
    assert answer["error"]["code"] == "too_large"
    assert scene.node.parts.limited["json_characters"] == 1
    assert not [size for size in decoded if size >= len(payload)]


async def test_texts_of_nothing_but_separators(scene: Scene) -> None:
    """What stands in a string is text, however it looks, escaped or not."""
    for number, each in enumerate((",", "[", "{", '"', "\\", '\\",[{')):
        text = (each * 4_000)[:4_000]
        content = {**SEND, "clientId": f"c-{number}", "text": text}
        assert (await scene.mallory.ask(json.dumps(["send", content])))["ok"], each


async def test_reserved_names_are_refusals_like_others(redis_url: str) -> None:
    """A client that goes on with them is read slowly."""
    async with (
        run_nodes(1, redis_url, rates="refusals=1/3") as (node,),
        raw_chat(node, {"user": "mallory"}) as mallory,
    ):
        for _ in range(5):
            answer = await mallory.ask('["connect",{}]')
            assert answer["error"]["code"] == "unknown_event"
        assert node.parts.limited["rate_refusals"] > 0
