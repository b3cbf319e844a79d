"""Rooms have an end: what nobody is a member of does not stay in Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from realtime.errors import RateLimitedError
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.rates import Rate
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import QUITS_KEPT_SECONDS, Memberships
from realtime.store.room_index import RoomIndex
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.store_fixtures import make_log, sender
from tests.kit.waiting import wait_until

ROOMS_A_DAY = 500
# What an empty Valkey's memory varies by, and a table that has grown once.
SLACK_BYTES = 256 * 1024


def memberships(link: RedisClient, rate: Rate | None = None) -> Memberships:
    """Return memberships whose rooms end a second after their last member."""
    return Memberships(
        link, user_rooms_limit=1000, empty_room_seconds=1, new_rooms=rate
    )


@ONE_VALKEY
async def test_a_day_of_joins_sends_and_quits_leaves_nothing(
    link: RedisClient, counts: RoomCounts, redis_client: Redis
) -> None:
    """Ever new rooms, a text in each: Redis is back where it began, keys and bytes."""
    rooms, index = memberships(link, Rate(1000, 1000)), RoomIndex(link)
    send = sender(make_log(link, remember_seconds=1))
    presence = Presence(link, node="n1", announce_users=10, counts=counts)

    async def come_and_go(room: str) -> None:
        await rooms.claim(room, "ann")
        await rooms.admit(room, "ann")
        await presence.enter(room=room, sid="s", user="ann", device=None)
        await send("x" * 1000, room=room)
        await rooms.quit(room, "ann")
        await rooms.unlist(room, "ann")
        await presence.leave(room=room, sid="s")

    async def day(first: int) -> None:
        numbers = range(first, first + ROOMS_A_DAY)
        await asyncio.gather(*(come_and_go(f"r{number}") for number in numbers))

    async def is_empty() -> bool:
        # What ann's devices are told is bounded, and ends a month later.
        told = await redis_client.exists("{user-ann}:log", "{user-ann}:meta")
        # As a node does all the time.
        await index.sweep()
        return bool(await redis_client.dbsize() == told)

    await day(0)
    await wait_until(is_empty, "all keys have ended")
    before = (await redis_client.info("memory"))["used_memory"]
    await day(ROOMS_A_DAY)
    assert (await redis_client.info("memory"))["used_memory"] > before + SLACK_BYTES
    await wait_until(is_empty, "all keys have ended")
    after = (await redis_client.info("memory"))["used_memory"]
    assert after <= before + SLACK_BYTES


async def test_who_joins_in_time_keeps_the_room(
    link: RedisClient, redis_client: Redis
) -> None:
    """Everything of it is there, and has no end any more."""
    rooms = memberships(link)
    send = sender(make_log(link))
    for user in ("ann", "bob"):
        await rooms.claim("42", user)
        await rooms.admit("42", user)
    await send("hello")
    await rooms.quit("42", "ann")
    kept = (keys.log, keys.messages, keys.meta, keys.last_read)
    assert {await redis_client.ttl(key("42")) for key in kept} == {-1}
    await rooms.quit("42", "bob")
    of_room = (*kept[:3], keys.quits)
    assert {await redis_client.ttl(key("42")) for key in of_room} == {1}
    await rooms.claim("42", "cid")
    assert (await rooms.admit("42", "cid")).last_message == 1
    assert {await redis_client.ttl(key("42")) for key in kept} == {-1}
    assert await redis_client.ttl(keys.quits("42")) == QUITS_KEPT_SECONDS
    await rooms.quit("42", "cid")


async def test_quitting_does_not_make_room_for_ever_more_rooms(
    link: RedisClient,
) -> None:
    """Beyond the rate a further room is refused with a time; one's own is not."""
    rooms = memberships(link, Rate(0.01, 3))
    for room in ("1", "2", "3", "1"):
        await rooms.claim(room, "ann")
        await rooms.admit(room, "ann")
    for room in ("1", "2"):
        await rooms.quit(room, "ann")
        await rooms.unlist(room, "ann")
    with pytest.raises(RateLimitedError) as refused:
        await rooms.claim("4", "ann")
    assert refused.value.limit == "rate_new_rooms"
    assert 90_000 < (refused.value.retry_after_ms or 0) <= 100_000
    await rooms.claim("3", "ann")
    await rooms.claim("4", "bob")
