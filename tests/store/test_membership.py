"""Membership: kept on both sides, from the first join until the user quits."""

import asyncio
import json
import random
import time

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.errors import ForbiddenError, TooLargeError
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import (
    QUIT_LATELY_SECONDS,
    QUITS_KEPT_SECONDS,
    Memberships,
)
from realtime.store.read_marks import ReadMarks
from realtime.store.room_summaries import RoomSummaries
from realtime.store.scripts import Admission
from tests.kit.store_fixtures import LinkMaker, Send, said


async def join(rooms: Memberships, room: str, user: str) -> Admission:
    """Do what a join does."""
    await rooms.claim(room, user)
    return await rooms.admit(room, user)


async def rooms_admit(rooms: Memberships, room: str, user: str) -> Admission:
    """Do what the join of a session does that attended before."""
    return await rooms.admit(room, user)


async def quit_room(rooms: Memberships, room: str, user: str) -> None:
    """Do what a quit does."""
    await rooms.quit(room, user)
    await rooms.unlist(room, user)


async def test_a_user_s_list_is_bounded(
    rooms: Memberships, summaries: RoomSummaries
) -> None:
    """A further room is refused; those on the list are not, and quitting makes room."""
    for room in ("1", "2", "3", "1"):
        await join(rooms, room, "ann")
    with pytest.raises(TooLargeError):
        await rooms.claim("4", "ann")
    await quit_room(rooms, "2", "ann")
    await join(rooms, "4", "ann")
    assert [each.room for each in (await summaries.of_user("ann")).rooms] == [
        "1",
        "3",
        "4",
    ]


async def test_one_broken_room_hides_no_other(
    rooms: Memberships,
    summaries: RoomSummaries,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody wrote over one of its keys: the user finds their other rooms."""
    for room in ("1", "2", "3"):
        await join(rooms, room, "ann")
    await redis_client.delete(keys.last_read("2"))
    await redis_client.set(keys.last_read("2"), "not a hash")
    assert [each.room for each in (await summaries.of_user("ann")).rooms] == ["1", "3"]
    assert "Room 2 cannot be listed" in caplog.text


async def test_the_first_join_makes_a_member(
    rooms: Memberships, redis_client: Redis
) -> None:
    """With a role, the first one's, and a time; repeating it changes nothing."""
    assert not await rooms.is_member("42", "ann")
    assert (await join(rooms, "42", "ann")).new
    first = await redis_client.hgetall(keys.members("42"))
    again = await join(rooms, "42", "ann")
    assert not again.new
    assert await redis_client.hgetall(keys.members("42")) == first
    entry = json.loads(first["ann"])
    assert entry["role"] == "owner"
    assert abs(entry["joinedAt"] / 1000 - (await redis_client.time())[0]) < 60
    assert await rooms.is_member("42", "ann")


async def test_joining_at_once_makes_one_member(
    rooms: Memberships, redis_client: Redis
) -> None:
    """Two devices of one user, or two nodes."""
    found = await asyncio.gather(*(join(rooms, "42", "ann") for _ in range(20)))
    assert sum(each.new for each in found) == 1
    assert await redis_client.hlen(keys.members("42")) == 1


async def test_quitting_ends_it_on_both_sides(
    rooms: Memberships, summaries: RoomSummaries, redis_client: Redis
) -> None:
    """The room's members, the user's rooms, the mark; repeating it is fine."""
    await join(rooms, "42", "ann")
    await quit_room(rooms, "42", "ann")
    await quit_room(rooms, "42", "ann")
    assert not await rooms.is_member("42", "ann")
    assert (await summaries.of_user("ann")).rooms == []
    told = {keys.personal_log("user-ann"), keys.personal_meta("user-ann")}
    # The list of rooms forgets it when somebody looks for what has ended.
    kept = {keys.quits("42"), keys.ROOMS, *told}
    assert {*await redis_client.keys("*")} == kept


async def test_the_nodes_are_told_in_the_step_that_ends_a_membership(
    rooms: Memberships, redis_client: Redis, channel: PubSub
) -> None:
    """Whatever becomes of the answer; a repeated quit tells nobody anything."""
    await join(rooms, "42", "ann")
    await rooms.quit("42", "ann")
    await rooms.quit("42", "ann")
    assert await said(channel, redis_client) == [
        {"method": "quit", "room": "chatroom-42", "user": "ann"}
    ]


async def test_a_quit_between_claim_and_admission(
    rooms: Memberships, summaries: RoomSummaries
) -> None:
    """It took the room off the list; the member whom it meets finds it there."""
    await rooms.claim("42", "ann")
    await quit_room(rooms, "42", "ann")
    assert (await rooms.admit("42", "ann")).new
    assert [each.room for each in (await summaries.of_user("ann")).rooms] == ["42"]


async def test_who_joins_before_a_quit_is_through_stays_listed(
    rooms: Memberships,
    summaries: RoomSummaries,
) -> None:
    """Between its two steps they have become a member again."""
    await join(rooms, "42", "ann")
    await rooms.quit("42", "ann")
    await join(rooms, "42", "ann")
    await rooms.unlist("42", "ann")
    assert [each.room for each in (await summaries.of_user("ann")).rooms] == ["42"]


async def test_a_list_that_was_filled_meanwhile(
    rooms: Memberships, redis_client: Redis
) -> None:
    """Nobody is a member of more rooms than they may, by quitting what they join."""
    for room in ("1", "2", "3"):
        await join(rooms, room, "ann")
    await quit_room(rooms, "2", "ann")
    await join(rooms, "4", "ann")
    with pytest.raises(TooLargeError):
        await rooms.admit("2", "ann")
    assert not await rooms.is_member("2", "ann")
    assert await redis_client.smembers(keys.user_rooms("ann")) == {"1", "3", "4"}


async def test_joins_and_quits_at_once_leave_both_sides_the_same(
    make_link: LinkMaker, redis_client: Redis
) -> None:
    """From two nodes, however they meet: a member has the room on their list."""
    order = random.Random(7)

    async def device(link: RedisClient, room: str) -> None:
        rooms = Memberships(link, user_rooms_limit=1000, empty_room_seconds=3600)
        for _ in range(5):
            await order.choice((join, rooms_admit, quit_room))(rooms, room, "ann")

    names = [f"r{number}" for number in range(100)]
    async with make_link() as one, make_link() as two:
        await asyncio.gather(
            *(device(link, room) for room in names for link in (one, two))
        )
    listed = await redis_client.smembers(keys.user_rooms("ann"))
    members = {
        room for room in names if await redis_client.hexists(keys.members(room), "ann")
    }
    assert members <= listed, members - listed


async def test_who_quit_is_noted_for_a_while(
    rooms: Memberships, redis_client: Redis
) -> None:
    """Until they come back, or for long: what never was a member is not noted."""
    for user in ("ann", "bob"):
        await join(rooms, "42", user)
    for user in ("ann", "bob", "stranger"):
        await rooms.quit("42", user)
    assert await rooms.quit_lately("42") == {"ann", "bob"}
    await join(rooms, "42", "ann")
    assert await rooms.quit_lately("42") == {"bob"}
    assert 0 < await redis_client.ttl(keys.quits("42")) <= QUITS_KEPT_SECONDS
    long_ago = time.time() - 3 * QUIT_LATELY_SECONDS
    await redis_client.zadd(keys.quits("42"), {"bob": long_ago, "cid": 1})
    await rooms.quit("42", "ann")
    assert await rooms.quit_lately("42") == {"ann"}
    assert set(await redis_client.zrange(keys.quits("42"), 0, -1)) == {"ann", "bob"}


async def test_who_quit_does_not_come_back_without_knowing(
    rooms: Memberships, redis_client: Redis
) -> None:
    """A device that was away is no member's by its cursor; a join anew is."""
    await join(rooms, "42", "ann")
    await rooms.quit("42", "ann")
    await rooms.unlist("42", "ann")
    await rooms.claim("42", "ann")
    with pytest.raises(ForbiddenError):
        await rooms.admit("42", "ann", returning=True)
    assert not await rooms.is_member("42", "ann")
    assert not await redis_client.smembers(keys.user_rooms("ann"))
    assert (await join(rooms, "42", "ann")).new
    assert not (await rooms.admit("42", "ann", returning=True)).new
    # Somebody who never was here may bring any cursor.
    await rooms.claim("42", "bob")
    assert (await rooms.admit("42", "bob", returning=True)).new


async def test_a_user_s_rooms(
    rooms: Memberships, summaries: RoomSummaries, send: Send, link: RedisClient
) -> None:
    """By id, with the newest message and what is unread; empty rooms as well."""
    for room in ("b", "a", "empty"):
        await join(rooms, room, "bob")
        await join(rooms, room, "ann")
    for number in range(3):
        await send(f"a{number}", room="a")
    await send("b0", room="b", user="bob")
    await ReadMarks(link, announce_members=10).mark(room="a", user="bob", message=1)
    found = {each.room: each for each in (await summaries.of_user("bob")).rooms}
    assert list(found) == ["a", "b", "empty"]
    assert (found["a"].last_message, found["a"].unread) == (3, 2)
    assert json.loads(found["a"].newest or b"")["text"] == "a2"
    assert (found["b"].last_read_message, found["b"].unread) == (1, 0)
    assert (found["empty"].last_message, found["empty"].newest) == (0, None)


async def test_who_comes_back_starts_at_the_top(rooms: Memberships, send: Send) -> None:
    """After a quit nothing is remembered of the earlier membership."""
    await join(rooms, "42", "ann")
    await join(rooms, "42", "bob")
    await rooms.quit("42", "bob")
    await send()
    back = await join(rooms, "42", "bob")
    assert (back.new, back.last_read_message) == (True, 1)


async def test_a_half_made_membership_is_not_listed(
    rooms: Memberships, summaries: RoomSummaries, redis_client: Redis
) -> None:
    """A node died between the two sides; the next join completes it."""
    await redis_client.sadd(keys.user_rooms("ann"), "42")
    assert (await summaries.of_user("ann")).rooms == []
    await join(rooms, "42", "ann")
    assert [each.room for each in (await summaries.of_user("ann")).rooms] == ["42"]
