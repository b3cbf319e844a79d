"""Membership: kept on both sides, from the first join until the user quits."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from realtime import keys
from realtime.errors import TooLargeError
from realtime.read_state import ReadState
from realtime.redis_link import RedisLink
from realtime.rooms import QUITS_KEPT_SECONDS, Admission, Rooms
from tests.stores.conftest import Send


async def join(rooms: Rooms, room: str, user: str) -> Admission:
    """Do what a join does."""
    await rooms.claim(room, user)
    return await rooms.admit(room, user)


async def test_a_user_s_list_is_bounded(rooms: Rooms) -> None:
    """A further room is refused; those on the list are not, and quitting makes room."""
    for room in ("1", "2", "3", "1"):
        await join(rooms, room, "ann")
    with pytest.raises(TooLargeError):
        await rooms.claim("4", "ann")
    await rooms.quit("2", "ann")
    await join(rooms, "4", "ann")
    assert [each.room for each in await rooms.of_user("ann")] == ["1", "3", "4"]


async def test_the_first_join_makes_a_member(rooms: Rooms, redis_client: Redis) -> None:
    """With a role and a time; repeating it changes nothing."""
    assert not await rooms.is_member("42", "ann")
    assert (await join(rooms, "42", "ann")).new
    first = await redis_client.hgetall(keys.members("42"))
    again = await join(rooms, "42", "ann")
    assert (again.new, again.members) == (False, 1)
    assert await redis_client.hgetall(keys.members("42")) == first
    entry = json.loads(first["ann"])
    assert entry["role"] == "member"
    assert abs(entry["joinedAt"] / 1000 - (await redis_client.time())[0]) < 60
    assert await rooms.is_member("42", "ann")


async def test_joining_at_once_makes_one_member(rooms: Rooms) -> None:
    """Two devices of one user, or two nodes."""
    found = await asyncio.gather(*(join(rooms, "42", "ann") for _ in range(20)))
    assert sum(each.new for each in found) == 1
    assert {each.members for each in found} == {1}


async def test_quitting_ends_it_on_both_sides(
    rooms: Rooms, redis_client: Redis
) -> None:
    """The room's members, the user's rooms, the mark; repeating it is fine."""
    await join(rooms, "42", "ann")
    await rooms.quit("42", "ann")
    await rooms.quit("42", "ann")
    assert not await rooms.is_member("42", "ann")
    assert await rooms.of_user("ann") == []
    assert await redis_client.keys("*") == [keys.quits("42")]


async def test_who_quit_is_noted_for_a_while(rooms: Rooms, redis_client: Redis) -> None:
    """Until they come back, or for an hour: what never was a member is not noted."""
    for user in ("ann", "bob"):
        await join(rooms, "42", user)
    for user in ("ann", "bob", "stranger"):
        await rooms.quit("42", user)
    assert await rooms.quit_lately("42") == {"ann", "bob"}
    await join(rooms, "42", "ann")
    assert await rooms.quit_lately("42") == {"bob"}
    assert 0 < await redis_client.ttl(keys.quits("42")) <= QUITS_KEPT_SECONDS
    await redis_client.zadd(keys.quits("42"), {"bob": 1})
    await rooms.quit("42", "ann")
    assert await rooms.quit_lately("42") == {"ann"}


async def test_a_user_s_rooms(rooms: Rooms, send: Send, link: RedisLink) -> None:
    """By id, with the newest message and what is unread; empty rooms as well."""
    for room in ("b", "a", "empty"):
        await join(rooms, room, "bob")
        await join(rooms, room, "ann")
    for number in range(3):
        await send(f"a{number}", room="a")
    await send("b0", room="b", user="bob")
    await ReadState(link, announce_members=10).mark(room="a", user="bob", message=1)
    found = {each.room: each for each in await rooms.of_user("bob")}
    assert list(found) == ["a", "b", "empty"]
    assert (found["a"].last_message, found["a"].unread) == (3, 2)
    assert json.loads(found["a"].newest or b"")["text"] == "a2"
    assert (found["b"].last_read_message, found["b"].unread) == (1, 0)
    assert (found["empty"].last_message, found["empty"].newest) == (0, None)


async def test_who_comes_back_starts_at_the_top(rooms: Rooms, send: Send) -> None:
    """After a quit nothing is remembered of the earlier membership."""
    await join(rooms, "42", "ann")
    await join(rooms, "42", "bob")
    await rooms.quit("42", "bob")
    await send()
    back = await join(rooms, "42", "bob")
    assert (back.new, back.last_read_message) == (True, 1)


async def test_a_half_made_membership_is_not_listed(
    rooms: Rooms, redis_client: Redis
) -> None:
    """A node died between the two sides; the next join completes it."""
    await redis_client.sadd(keys.user_rooms("ann"), "42")
    assert await rooms.of_user("ann") == []
    await join(rooms, "42", "ann")
    assert [each.room for each in await rooms.of_user("ann")] == ["42"]
