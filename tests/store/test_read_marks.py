"""Read marks: they only ever rise, and everybody concerned is told of each rise."""

import asyncio
import random
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.errors import ForbiddenError
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.read_marks import ReadMarks
from realtime.store.room_snapshot import RoomSnapshots
from realtime.store.scripts import Marks
from tests.kit.store_fixtures import Send, said

ANNOUNCE_MEMBERS = 3


@pytest.fixture
def reads(link: RedisClient) -> ReadMarks:
    """Marks; rooms of more than three are large."""
    return ReadMarks(link, announce_members=ANNOUNCE_MEMBERS)


@pytest.fixture(autouse=True)
async def members(rooms: Memberships) -> None:
    """Ann and bob are members."""
    await rooms.admit("42", "ann")
    await rooms.admit("42", "bob")


async def fill(send: Send, count: int) -> None:
    """Send as ann, who thereby reads."""
    await asyncio.gather(*(send() for _ in range(count)))


async def marks(states: RoomSnapshots) -> Any:
    """Return the marks that a join would be told."""
    return (await states.read("42")).to_wire()["reads"]


async def test_a_mark_rises(
    reads: ReadMarks, send: Send, states: RoomSnapshots
) -> None:
    """The answer tells the mark and what is above it."""
    await fill(send, 5)
    assert await reads.mark(room="42", user="bob", message=2) == Marks(2, 3)
    assert await reads.mark(room="42", user="bob", message=5) == Marks(5, 0)
    assert await marks(states) == {"ann": 5, "bob": 5}


async def test_a_mark_never_falls(
    reads: ReadMarks, send: Send, channel: PubSub, redis_client: Redis
) -> None:
    """A lower or equal number changes nothing and announces nothing."""
    await fill(send, 5)
    await reads.mark(room="42", user="bob", message=4)
    await said(channel, redis_client)
    for lower in (4, 3, 0):
        assert await reads.mark(room="42", user="bob", message=lower) == Marks(4, 1)
    assert await said(channel, redis_client) == []


async def test_a_mark_is_held_to_the_top(reads: ReadMarks, send: Send) -> None:
    """Nobody has read what was not written."""
    assert await reads.mark(room="42", user="bob", message=9) == Marks(0, 0)
    await fill(send, 3)
    assert await reads.mark(room="42", user="bob", message=10**15) == Marks(3, 0)


async def test_marks_that_race_end_at_the_highest(
    reads: ReadMarks,
    send: Send,
    channel: PubSub,
    redis_client: Redis,
    states: RoomSnapshots,
) -> None:
    """Fifty at once, in any order: what is announced only rises, once each."""
    await fill(send, 60)
    asked = list(range(1, 51))
    random.Random(7).shuffle(asked)
    await asyncio.gather(
        *(reads.mark(room="42", user="bob", message=each) for each in asked)
    )
    assert (await marks(states) or {})["bob"] == 50
    told = [
        event[1]["lastReadMessage"]
        for event in await said(channel, redis_client)
        if event[0] == "read"
    ]
    assert told == sorted(set(told))
    assert told[-1] == 50


async def test_a_rise_is_announced_in_the_same_step(
    reads: ReadMarks, send: Send, channel: PubSub, redis_client: Redis
) -> None:
    """As an event array that every node passes on as it is."""
    await fill(send, 3)
    await said(channel, redis_client)
    await reads.mark(room="42", user="bob", message=2)
    assert await said(channel, redis_client) == [
        ["read", {"room": "42", "user": "bob", "lastReadMessage": 2}]
    ]


async def test_a_large_room_tells_only_the_user_s_own_sessions(
    reads: ReadMarks,
    rooms: Memberships,
    send: Send,
    channel: PubSub,
    redis_client: Redis,
    states: RoomSnapshots,
) -> None:
    """Above the limit a mark would cost a fan-out to everybody."""
    await rooms.admit("42", "cid")
    await fill(send, 3)
    await reads.mark(room="42", user="bob", message=1)
    await rooms.admit("42", "dan")
    await said(channel, redis_client)
    await reads.mark(room="42", user="bob", message=2)
    told = await said(channel, redis_client)
    assert [
        (each["method"], each["event"], each["room"], each["data"]) for each in told
    ] == [
        (
            "emit",
            "read",
            keys.user_sessions_room("bob"),
            [{"room": "42", "user": "bob", "lastReadMessage": 2}],
        )
    ]
    assert await marks(states) is None


async def test_names_are_told_as_they_are(
    reads: ReadMarks,
    rooms: Memberships,
    send: Send,
    channel: PubSub,
    redis_client: Redis,
) -> None:
    """Quotes and other letters in a name break nothing."""
    name = 'o"brien\\ 김/é|x@y'
    await rooms.admit("42", name)
    await fill(send, 2)
    # A new member has read what was there; two more were written since.
    await said(channel, redis_client)
    await reads.mark(room="42", user=name, message=2)
    assert await said(channel, redis_client) == [
        ["read", {"room": "42", "user": name, "lastReadMessage": 2}]
    ]


async def test_only_members_have_marks(
    reads: ReadMarks, rooms: Memberships, send: Send, states: RoomSnapshots
) -> None:
    """A stranger is refused, and so is who quit."""
    await fill(send, 3)
    with pytest.raises(ForbiddenError):
        await reads.mark(room="42", user="eve", message=1)
    await rooms.quit("42", "bob")
    with pytest.raises(ForbiddenError):
        await reads.mark(room="42", user="bob", message=1)
    assert await marks(states) == {"ann": 3}


async def test_what_came_before_a_member_counts_as_read(
    reads: ReadMarks, rooms: Memberships, send: Send
) -> None:
    """A newcomer has nothing unread."""
    await fill(send, 4)
    admitted = await rooms.admit("42", "new")
    assert (admitted.last_message, admitted.last_read_message) == (4, 4)
    await fill(send, 1)
    assert await reads.mark(room="42", user="new", message=1) == Marks(4, 1)
