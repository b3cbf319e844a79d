"""``push.due``: members who are not here and have not read a message in a while."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kit.hook_receiver import LOOPBACK, HookReceiver
from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.waiting import wait_until


@pytest.fixture
async def two(
    app: HookReceiver, redis_url: str, tmp_path: Path
) -> AsyncIterator[list[Node]]:
    """Two nodes that tell the application whom it may want to ring."""
    path = tmp_path / "hooks.toml"
    path.write_text(app.file(types=["push.due", "room.changed"]))
    async with run_nodes(2, redis_url, hooks_file=path, hook_allow=LOOPBACK) as nodes:
        yield nodes


async def mark_end(ann: Member, app: HookReceiver, room: str) -> None:
    """Return when all that was to be told of a room by now has been told.

    One more message, to which somebody is absent, is looked at after all others.
    """
    before = len(app.of_type("push.due"))
    await ann.do("send", text_of("end", room))
    await wait_until(
        lambda: any(
            each.data["message"]["text"] == "end"
            for each in app.of_type("push.due")[before:]
        ),
        "the last one is told",
    )


async def test_who_is_absent_is_told_of(two: list[Node], app: HookReceiver) -> None:
    """With the message; not its sender, nor who is here, nor who has read it since."""
    async with (
        member(two[0], "ann") as ann,
        member(two[1], "bob") as bob,
        member(two[1], "carol") as carol,
    ):
        made = await ann.do("room_create", {"kind": "private", "clientId": "c"})
        room = made["room"]
        users = ["bob", "carol", "dave", "eve"]
        await ann.do("members_add", {"room": room, "users": users})
        await ann.do("join", {"room": room})
        await bob.do("join", {"room": room})
        await ann.do("send", text_of("hello", room))
        await carol.do("mark_read", {"room": room, "message": 1})
        await mark_end(ann, app, room)
    first = app.of_type("push.due")[0]
    assert first.data["room"] == room
    assert sorted(first.data["users"]) == ["dave", "eve"]
    assert first.data["message"]["text"] == "hello"
    assert first.data["message"]["message"] == 1


async def test_what_was_deleted_rings_nobody(
    two: list[Node], app: HookReceiver
) -> None:
    """Nor does what somebody wrote whom they block."""
    async with member(two[0], "ann") as ann, member(two[1], "bob") as bob:
        made = await ann.do("room_create", {"kind": "private", "clientId": "c"})
        room = made["room"]
        await ann.do("members_add", {"room": room, "users": ["bob", "eve"]})
        await ann.do("join", {"room": room})
        await bob.do("block", {"user": "ann", "on": True})
        await ann.do("send", text_of("sorry", room))
        await ann.do("delete", {"room": room, "message": 1})
        await mark_end(ann, app, room)
    told = app.of_type("push.due")
    assert [each.data["message"]["text"] for each in told] == ["end"]
    assert told[0].data["users"] == ["eve"]


async def test_in_a_large_room_only_mentions_ring(
    two: list[Node], app: HookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody wants a phone that rings all day."""
    monkeypatch.setattr("realtime.webhooks.push.ROOM_MEMBERS", 2)
    async with member(two[0], "ann") as ann:
        made = await ann.do("room_create", {"kind": "private", "clientId": "c"})
        room = made["room"]
        await ann.do("members_add", {"room": room, "users": ["bob", "eve"]})
        await ann.do("join", {"room": room})
        await ann.do("send", text_of("to all", room))
        mention = text_of("hi @eve", room) | {"mentions": ["eve", "ann", "nobody"]}
        await ann.do("send", mention)
        await wait_until(lambda: app.of_type("push.due"), "one is told")
    (told,) = app.of_type("push.due")
    assert told.data["users"] == ["eve"]


async def test_what_they_set_for_a_room_counts(
    two: list[Node], app: HookReceiver
) -> None:
    """Muted, nothing; mentions only, only these; and nobody of a silent message."""
    async with (
        member(two[0], "ann") as ann,
        member(two[1], "bob") as bob,
        member(two[1], "carol") as carol,
    ):
        made = await ann.do("room_create", {"kind": "private", "clientId": "c"})
        room = made["room"]
        users = ["bob", "carol", "eve"]
        await ann.do("members_add", {"room": room, "users": users})
        await ann.do("join", {"room": room})
        await bob.do("room_mine", {"room": room, "muted": True})
        await carol.do("room_mine", {"room": room, "push": "mentions"})
        await ann.do("send", text_of("sh", room) | {"silent": True})
        await ann.do("send", text_of("hi", room))
        mention = {"mentions": ["bob", "carol"]}
        await ann.do("send", text_of("hi you", room) | mention)
        await mark_end(ann, app, room)
    told = {
        each.data["message"]["text"]: set(each.data["users"])
        for each in app.of_type("push.due")
    }
    assert told == {"hi": {"eve"}, "hi you": {"carol", "eve"}, "end": {"eve"}}
