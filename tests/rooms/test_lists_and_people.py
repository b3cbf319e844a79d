"""What others do to a user and to a room, on each of the user's devices at any node."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.rooms import rooms_changed
from tests.kit.nodes import Node
from tests.kit.recording import RecordingClient, recording

Payload = dict[str, Any]


@pytest.fixture
async def devices(three: list[Node]) -> AsyncIterator[list[RecordingClient]]:
    """Ann's phone and laptop, at two nodes; both follow."""
    async with (
        recording(three[0], "ann") as phone,
        recording(three[1], "ann") as laptop,
    ):
        for device in (phone, laptop):
            await device.do("me")
        yield [phone, laptop]


@pytest.fixture
async def bob(three: list[Node]) -> AsyncIterator[RecordingClient]:
    """Bob, at the third node; he follows as well."""
    async with recording(three[2], "bob") as client:
        await client.do("me")
        yield client


async def private_room(owner: RecordingClient, *users: str) -> str:
    """Make a private room of these people."""
    asked = {"kind": "private", "name": "가족", "users": [*users], "clientId": "c1"}
    room: str = (await owner.do("room_create", asked))["room"]
    return room


async def say(client: RecordingClient, room: str, text: str) -> None:
    """Send a text, named by itself."""
    said = {"room": room, "clientId": text, "type": "text", "text": text}
    await client.do("send", said)


async def listed(client: RecordingClient) -> list[Payload]:
    """Return the first page of a client's list."""
    page: list[Payload] = (await client.do("rooms", {"sort": "recent"}))["rooms"]
    return page


async def news(client: RecordingClient, room: str, name: str) -> Payload:
    """Return the next of a room's news that say something by this name."""
    while True:
        for each in (await client.next("rooms_changed"))["rooms"]:
            if each["room"] == room and name in each:
                found: Payload = each
                return found


async def test_who_is_added_finds_the_room_on_all_devices(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """Who made it as well; the list says what it is, and what the user is in it."""
    room = await private_room(bob, "ann")
    assert (await bob.next("room_added"))["room"] == room
    for device in devices:
        assert (await device.next("room_added"))["room"] == room
        (entry,) = await listed(device)
        assert (entry["name"], entry["kind"], entry["role"]) == (
            *("가족", "private", "member"),
        )
    (entry,) = await listed(bob)
    assert entry["role"] == "owner"


async def test_a_new_name_and_a_new_role_come_to_all_devices(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """Without a request; who lists anew finds them there."""
    room = await private_room(bob, "ann")
    await bob.do("room_set", {"room": room, "name": "친구"})
    await bob.do("member_set", {"room": room, "user": "ann", "role": "moderator"})
    for device in devices:
        while (await news(device, room, "name"))["name"] != "친구":
            pass
        assert (await device.next("role"))["role"] == "moderator"
        (entry,) = await listed(device)
        assert (entry["name"], entry["role"]) == ("친구", "moderator")


async def test_who_inherits_a_room_is_told(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """The last owner quits: a moderator is the owner now, on all their devices."""
    room = await private_room(bob, "ann")
    await bob.do("member_set", {"room": room, "user": "ann", "role": "moderator"})
    await bob.do("quit", {"room": room})
    for device in devices:
        await device.next("role", role="owner")
        assert (await listed(device))[0]["role"] == "owner"
    assert (await bob.next("room_removed"))["reason"] == "quit"


@pytest.mark.parametrize(
    ("more", "reason"), [({}, "kicked"), ({"banSeconds": 60}, "banned")]
)
async def test_who_is_put_out_loses_the_room_on_all_devices(
    three: list[Node],
    devices: list[RecordingClient],
    bob: RecordingClient,
    more: Payload,
    reason: str,
) -> None:
    """And nothing more is told of it; a device that was away learns it later."""
    await devices[0].do("join", {"room": "kept"})
    await devices[0].do("leave", {"room": "kept"})
    room = await private_room(bob, "ann")
    async with recording(three[2], "ann") as tablet:
        cursor = (await tablet.do("me"))["cursor"]
    await bob.do("member_remove", {"room": room, "user": "ann", **more})
    for device in devices:
        assert (await device.next("room_removed"))["reason"] == reason
        assert [each["room"] for each in await listed(device)] == ["kept"]
        device.kept.clear()
    async with recording(three[2], "ann") as tablet:
        back = await tablet.do("me", {"cursor": cursor})
        assert [(name, event["reason"]) for name, event in back["events"]] == [
            ("room_removed", reason)
        ]
    for each in (room, "kept"):
        await bob.do("join", {"room": each})
        await say(bob, each, "hi")
    for device in devices:
        told = (await device.next("rooms_changed"))["rooms"]
        assert [each["room"] for each in told] == ["kept"]


async def test_a_deleted_room_is_gone_on_all_devices(
    devices: list[RecordingClient], bob: RecordingClient, redis_client: Redis
) -> None:
    """Nobody asked: the nodes hear of it, and take it off the lists."""
    room = await private_room(bob, "ann")
    for device in devices:
        await device.next("room_added")
    await bob.do("room_delete", {"room": room})
    for device in (*devices, bob):
        assert (await device.next("room_removed"))["reason"] == "deleted"
        assert await listed(device) == []
    for user in ("ann", "bob"):
        assert await redis_client.exists(f"{{user-{user}}}:rooms") == 0


async def test_who_was_away_hears_that_a_room_was_deleted(
    three: list[Node], bob: RecordingClient
) -> None:
    """No node watched it for her; she is not told that it just ended."""
    async with recording(three[0], "ann") as phone:
        cursor = (await phone.do("me"))["cursor"]
    room = await private_room(bob, "ann")
    await bob.do("room_delete", {"room": room})
    async with recording(three[1], "ann") as laptop:
        events = (await laptop.do("me", {"cursor": cursor}))["events"]
    told = [(name, said.get("reason")) for name, said in events]
    assert told == [("room_added", None), ("room_removed", "deleted")]


async def test_a_room_of_two_comes_to_both(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """Whoever makes it; blocks are the user's own, and so on all their devices."""
    made = {"kind": "direct", "users": ["ann"], "clientId": "c1"}
    room = (await bob.do("room_create", made))["room"]
    for device in (*devices, bob):
        assert (await device.next("room_added"))["room"] == room
        (entry,) = await listed(device)
        assert (entry["kind"], entry["role"]) == ("direct", "member")
    for on in (True, False):
        await devices[0].do("block", {"user": "bob", "on": on})
        for device in devices:
            told = await device.next("block")
            assert (told["user"], told["on"]) == ("bob", on)
    # He left it, and writes again: it is on his list again.
    await bob.do("quit", {"room": room})
    await bob.next("room_removed")
    await devices[1].do("room_create", {**made, "users": ["bob"]})
    assert (await bob.next("room_added"))["room"] == room


async def test_an_invite_brings_the_room_to_all_devices(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """It is used on one."""
    room = await private_room(bob)
    invite = (await bob.do("invite_create", {"room": room}))["invite"]
    await devices[0].do("join", {"room": room, "invite": invite})
    for device in devices:
        assert (await device.next("room_added"))["room"] == room


async def test_what_becomes_of_the_newest_message_is_shown(
    devices: list[RecordingClient], bob: RecordingClient
) -> None:
    """Edited, reacted to, deleted: as a list that is read anew shows it."""
    room = await private_room(bob, "ann")
    await bob.do("join", {"room": room})
    await say(bob, room, "helo")
    of_it = {"room": room, "message": 1}
    await bob.do("edit", {**of_it, "text": "hello", "clientId": "e"})
    await bob.do("react", {**of_it, "key": "x", "on": True})
    for device in devices:
        while (await news(device, room, "newest"))["newest"].get("reactions") is None:
            pass
        newest = (await listed(device))[0]["newest"]
        assert (newest["text"], newest["reactions"]) == ("hello", {"x": 1})
    await bob.do("delete", of_it)
    for device in devices:
        newest = (await news(device, room, "newest"))["newest"]
        assert newest["type"] == "deleted"
        assert newest == (await listed(device))[0]["newest"]


@pytest.mark.parametrize("comes", ["added", "joins"])
async def test_newcomers_are_not_told_what_was_said_before(
    three: list[Node],
    devices: list[RecordingClient],
    bob: RecordingClient,
    comes: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not by the news of a room in which something passed as they came."""
    monkeypatch.setattr(rooms_changed, "TICK_SECONDS", 1.0)
    room, phone, laptop = "plans", *devices
    made = {"kind": "public", "room": room, "history": "joined", "clientId": "c"}
    await bob.do("room_create", {**made, "users": ["cho"]})
    await bob.do("join", {"room": room})
    async with recording(three[0], "cho") as cho:
        await cho.do("me")
        await say(bob, room, "secret")
        if comes == "added":
            await bob.do("members_add", {"room": room, "users": ["ann"]})
            for device in devices:
                of_it = await news(device, room, "memberCount")
                assert (of_it["memberCount"], of_it.get("newest")) == (3, None)
        else:
            await laptop.do("join", {"room": room})
            await laptop.do("leave", {"room": room})
        await phone.next("room_added")
        await cho.next("rooms_changed")
        await say(bob, room, "welcome")
        for device in devices:
            newest = (await news(device, room, "newest"))["newest"]
            assert newest["text"] == "welcome"
