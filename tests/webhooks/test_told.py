"""What an application is told: every event of the rooms, signed, in order."""

import asyncio
import json
import re
from datetime import datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.kit.hook_receiver import SECRET, HookReceiver
from tests.kit.members import member, text_of
from tests.kit.nodes import Node
from tests.kit.pictures import picture
from tests.kit.waiting import wait_until


async def test_a_message_is_told(two: list[Node], app: HookReceiver) -> None:
    """As the members get it, signed so that a library of the standard verifies it."""
    async with member(two[0], "ann", "42") as ann, member(two[1], "bob", "42") as bob:
        ack = await ann.send('안녕, "bob"', client_id="c1")
        await bob.send("hi")
        await wait_until(lambda: len(app.accepted) == 2, "both are told")
    first = app.accepted[0]
    assert first.type == "message.created"
    assert first.data == {
        "offset": ack["offset"],
        "uid": ack["uid"],
        "message": 1,
        "room": "42",
        "user": "ann",
        "type": "text",
        "text": '안녕, "bob"',
        "clientId": "c1",
        "at": ack["at"],
    }
    envelope = json.loads(first.body)
    assert envelope.keys() == {"type", "timestamp", "data"}
    told_at = datetime.fromisoformat(envelope["timestamp"])
    assert round(told_at.timestamp() * 1000) == ack["at"]
    assert re.fullmatch(r"msg_[0-9a-f]{32}", first.id)
    assert first.headers["content-type"] == "application/json"
    tampered = first.body.replace(b"bob", b"eve")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(tampered, first.headers)


async def test_all_that_happens_is_told_in_order(
    two: list[Node], app: HookReceiver
) -> None:
    """Rooms, members, messages and their changes, and what members report."""
    async with member(two[0], "ann") as ann, member(two[1], "bob") as bob:
        made = await ann.do(
            "room_create", {"kind": "private", "name": "team", "clientId": "c0"}
        )
        room = made["room"]
        await ann.do("members_add", {"room": room, "users": ["bob", "eve"]})
        await ann.do("join", {"room": room})
        await bob.do("join", {"room": room})
        await ann.do("send", text_of("helo", room))
        await ann.do(
            "edit", {"room": room, "message": 1, "clientId": "e1", "text": "hello"}
        )
        await bob.do("react", {"room": room, "message": 1, "key": "+1", "on": True})
        await ann.do("pin", {"room": room, "message": 1, "on": True})
        await bob.do("report", {"room": room, "message": 1, "reason": "loud"})
        await wait_until(lambda: app.of_type("report.created"), "the report is told")
        await ann.do("delete", {"room": room, "message": 1})
        await ann.do("member_set", {"room": room, "user": "bob", "muteSeconds": 60})
        await ann.do("room_set", {"room": room, "name": "the team"})
        await ann.do("member_remove", {"room": room, "user": "eve"})
        await ann.do("room_delete", {"room": room})
        await wait_until(lambda: app.of_type("room.deleted"), "the end is told")
    told = [each for each in app.accepted if each.type != "report.created"]
    assert [each.type for each in told] == [
        "room.created",
        "member.joined",
        "member.joined",
        "message.created",
        "message.edited",
        "reaction.set",
        "pin.set",
        "message.deleted",
        "member.changed",
        "room.changed",
        "member.left",
        "room.deleted",
    ]
    assert [each.data["offset"] for each in told] == list(range(1, 13))
    assert {each.data["room"] for each in app.accepted} == {room}
    (report,) = app.of_type("report.created")
    assert report.data["by"] == "bob"
    assert report.data["copy"]["text"] == "hello"


async def test_an_image_is_named_without_its_signed_address(
    two: list[Node], app: HookReceiver
) -> None:
    """Who reads what the application logs must not see the picture by it."""
    async with member(two[0], "ann", "42") as ann:
        image = {"room": "42", "clientId": "i", "type": "image"}
        await ann.do("send", {**image, "image": picture("PNG")})
        await wait_until(lambda: app.accepted, "it is told")
    assert b"signature=" not in app.accepted[0].body
    assert re.fullmatch(
        r"/images/[0-9a-f]{64}\.png", app.accepted[0].data["image"]["url"]
    )


async def test_the_first_messages_of_a_room_keep_their_order(
    two: list[Node], app: HookReceiver
) -> None:
    """Those that wait until the room is noted, and those that come just after it."""
    texts = [str(number) for number in range(20)]
    async with member(two[0], "ann", "42") as ann:
        await asyncio.gather(*(ann.send(text) for text in texts))
        assert ann.texts() == texts
        await wait_until(lambda: len(app.texts()) == len(texts), "all are told")
    assert app.texts() == texts


@pytest.mark.timeout(60)
async def test_words_that_were_deleted_while_they_waited_are_told_to_nobody(
    two: list[Node], app: HookReceiver
) -> None:
    """An application that was down learns that there was a message, not its words."""
    app.decide = lambda _event: 503
    async with member(two[0], "ann", "42") as ann:
        await ann.send("first")
        await wait_until(lambda: app.tried, "it is tried")
        await ann.send("secret")
        await ann.do("delete", {"room": "42", "message": 2})
        app.decide = lambda _event: 204
        await wait_until(
            lambda: app.of_type("message.deleted"),
            "the deletion is told",
        )
    assert "secret" not in str([each.data for each in [*app.tried, *app.accepted]])
