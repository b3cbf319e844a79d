"""Pages of a room's members: in order, and as they are by now."""

import pytest
from redis.asyncio import Redis

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.people import People
from realtime.store.personal_log import PersonalLog

ROOM = "42"
# By their bytes: capital letters first, then accents and other scripts.
USERS = ["Zoe", "ann", "bob", "cho", "d$e", "f g", "é", "김"]


@pytest.fixture
def people(link: RedisClient, rooms: Memberships, log: MessageLog) -> People:
    personal = PersonalLog(link)
    return People(
        link,
        rooms,
        log,
        personal=personal,
        empty_room_seconds=3600,
        secret=lambda: b"of all nodes",
    )


async def walked(people: People, limit: int = 3) -> list[str]:
    """Return all members, page by page."""
    found: list[str] = []
    while page := await people.page(
        ROOM, after=found[-1] if found else None, limit=limit
    ):
        assert len(page) <= limit
        found += [each.user for each in page]
    return found


async def test_the_pages_are_all_members_by_the_bytes_of_their_ids(
    people: People, rooms: Memberships, redis_client: Redis
) -> None:
    """Whoever joined, was added, or made the room; and nobody who went."""
    await people.create(ROOM, "bob", kind="public", settings={})
    for user in USERS[:4:-1]:
        await rooms.admit(ROOM, user)
    for user in ("ann", "Zoe", "cho", "d$e"):
        assert await people.add(ROOM, "bob", user, role="member")
    await rooms.admit(ROOM, "ann")
    # Kept by who changed it, not made by who reads.
    assert await redis_client.zcard(keys.member_ids(ROOM)) == len(USERS)
    assert await walked(people) == USERS
    await rooms.quit(ROOM, "cho")
    await people.remove(ROOM, "bob", "é")
    assert await redis_client.zcard(keys.member_ids(ROOM)) == len(USERS) - 2
    assert await walked(people) == ["Zoe", "ann", "bob", "d$e", "f g", "김"]
    await rooms.admit(ROOM, "cho")
    assert "cho" in await walked(people)
    for user in USERS:
        await rooms.quit(ROOM, user)
    assert await walked(people) == []
    assert not await redis_client.exists(keys.member_ids(ROOM))


async def test_a_room_of_an_earlier_version_is_listed_as_well(
    people: People, rooms: Memberships, redis_client: Redis
) -> None:
    """Also if some came and went since, and whatever is wrong with the list."""
    expected = [f"user-{number:04}" for number in range(2_500)]
    record = '{"role":"member","joinedAt":1,"joined":0}'
    await redis_client.hset(keys.members(ROOM), mapping=dict.fromkeys(expected, record))
    await rooms.admit(ROOM, "zoe")
    await rooms.quit(ROOM, expected.pop(0))
    assert await walked(people, limit=100) == [*expected, "zoe"]
    await redis_client.zadd(keys.member_ids(ROOM), {"nobody": 0})
    assert await walked(people, limit=100) == [*expected, "zoe"]


async def test_a_deleted_room_lists_nobody(people: People, redis_client: Redis) -> None:
    """Neither by a page nor in Redis."""
    await people.create(ROOM, "ann", kind="public", settings={})
    await people.delete(ROOM, "ann")
    assert await walked(people) == []
    assert not await redis_client.exists(keys.member_ids(ROOM))
