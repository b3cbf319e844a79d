"""Rooms of two: theirs for ever, whoever makes them, quits or blocks."""

import asyncio

from realtime.store.people import direct_id
from tests.kit.members import all_see, members, text_of
from tests.kit.nodes import Node


async def test_two_have_one_room_whoever_makes_it(two: list[Node]) -> None:
    """A third one cannot be added, nor make it; the two find it on their lists."""
    async with members(two, ["ann", "bob", "eve"]) as (ann, bob, eve):
        made = [
            (
                await who.do(
                    "room_create", {"kind": "direct", "users": [other], "clientId": "c"}
                )
            )["room"]
            for who, other in ((ann, "bob"), (bob, "ann"))
        ]
        assert made[0] == made[1]
        assert made[0].startswith("d-")
        assert [each["room"] for each in (await bob.do("rooms"))["rooms"]] == made[:1]
        await ann.refused("members_add", {"room": made[0], "users": ["eve"]})
        assert (await eve.refused("join", {"room": made[0]}))["code"] == "forbidden"


async def test_nobody_takes_the_room_of_two_others(two: list[Node]) -> None:
    """Neither by joining nor by making a room of its id; who quit finds it again."""
    async with members(two, ["ann", "bob", "eve"]) as (ann, _, eve):
        room = direct_id("ann", "bob")
        assert (await eve.refused("join", {"room": room}))["code"] == "forbidden"
        taken = {"kind": "public", "room": room, "clientId": "c"}
        assert (await eve.refused("room_create", taken))["code"] == "invalid"
        made = {"kind": "direct", "users": ["bob"], "clientId": "c"}
        assert (await ann.do("room_create", made))["room"] == room
        await ann.join(room)
        await ann.do("quit", {"room": room})
        assert (await ann.refused("join", {"room": room}))["code"] == "forbidden"
        await ann.do("room_create", made)
        await ann.join(room)


async def test_who_quit_a_room_of_two_is_brought_back_by_a_message(
    two: list[Node],
) -> None:
    """It is on their list again, with all that was written since unread, in order."""
    made = {"kind": "direct", "users": ["bob"], "clientId": "c"}
    async with members(two, ["ann", "bob"]) as (ann, bob):
        room = (await ann.do("room_create", made))["room"]
        for who in (ann, bob):
            await who.join(room)
        await bob.send("hello", room)
        await bob.do("quit", {"room": room})
        assert (await bob.do("rooms"))["rooms"] == []
        assert (await ann.join(room))["writers"] == "members", "it is no setting"
        texts = [f"are you there? {number}" for number in range(5)]
        await asyncio.gather(*(ann.send(text, room) for text in texts))
        await all_see([ann], ["hello", *texts], room)
        (listed,) = (await bob.do("rooms"))["rooms"]
        assert (listed["room"], listed["unread"]) == (room, 5)
        await bob.join(room)
        await all_see([bob], ["hello", *texts], room)
        await bob.send("yes", room)
        await all_see([ann], ["hello", *texts, "yes"], room)


async def test_a_block_outlives_that_one_quits(two: list[Node]) -> None:
    """Nobody is brought back into a room where they block the other one."""
    made = {"kind": "direct", "users": ["bob"], "clientId": "c"}
    async with members(two, ["ann", "bob"]) as (ann, bob):
        room = (await ann.do("room_create", made))["room"]
        for who in (ann, bob):
            await who.join(room)
        await bob.do("block", {"user": "ann", "on": True})
        await bob.do("quit", {"room": room})
        assert (await ann.join(room))["writers"] == "members", "it is no setting"
        assert (await ann.refused("send", text_of("x", room)))["reason"] == "blocked"
        assert (await bob.do("rooms"))["rooms"] == []
        await bob.do("block", {"user": "ann", "on": False})
        await ann.send("friends?", room)
        assert [each["unread"] for each in (await bob.do("rooms"))["rooms"]] == [1]


async def test_no_message_makes_a_room_of_two(two: list[Node]) -> None:
    """Its id does not say whose it is: `room_create` does."""
    async with members(two, ["ann", "bob"]) as (ann, _):
        room = direct_id("ann", "bob")
        error = await ann.refused("send", text_of("x", room))
        assert error["code"] == "not_attending"
        assert (await ann.refused("join", {"room": room}))["code"] == "forbidden"


async def test_who_is_blocked_brings_nobody_back(two: list[Node]) -> None:
    """Nor makes a room that stands on the other one's list."""
    made = {"kind": "direct", "users": ["bob"], "clientId": "c"}
    async with members(two, ["ann", "bob"]) as (ann, bob):
        await bob.do("block", {"user": "ann", "on": True})
        assert (await ann.refused("room_create", made))["reason"] == "blocked"
        assert (await ann.do("rooms"))["rooms"] == []
        assert (await bob.do("rooms"))["rooms"] == []
        await bob.do("block", {"user": "ann", "on": False})
        room = (await ann.do("room_create", made))["room"]
        await bob.do("block", {"user": "ann", "on": True})
        await bob.do("quit", {"room": room})
        assert (await ann.refused("room_create", made))["reason"] == "blocked"
        assert (await bob.do("rooms"))["rooms"] == []
        assert [each["room"] for each in (await ann.do("rooms"))["rooms"]] == [room]


async def test_a_room_of_two_has_no_settings(two: list[Node]) -> None:
    """There is nobody in it who could change them again."""
    async with members(two, ["ann"]) as (ann,):
        made = {"kind": "direct", "users": ["bob"], "clientId": "c", "slow": 60}
        assert "slow" in (await ann.refused("room_create", made))["fields"]
