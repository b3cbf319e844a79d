"""What Redis keeps of changes of messages: bounded, repeated, lost and mended."""

from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.message_changes import (
    MessageChanges,
)
from realtime.store.message_log import MessageLog
from realtime.store.room_summaries import RoomSummaries
from tests.kit.store_fixtures import Send, make_log, sender
from tests.store.changing import (
    ODD_USER,
    ROOM,
    delete,
    edit,
    let_in,
    make_changes,
    pin,
    react,
)


@pytest.fixture(autouse=True)
async def _members(rooms: Memberships, redis_client: Redis) -> None:
    await let_in(rooms, redis_client)


@pytest.fixture
def changes(link: RedisClient, log: MessageLog) -> MessageChanges:
    """Changes of messages, without limits that a test would meet."""
    return make_changes(link, log)


async def test_a_deletion_is_unread_by_nobody(
    changes: MessageChanges,
    send: Send,
    rooms: Memberships,
    summaries: RoomSummaries,
    redis_client: Redis,
) -> None:
    """Once each, however often it is deleted; what is read counts no less."""
    for _ in range(5):
        await send()
    await redis_client.zadd(keys.last_read(ROOM), {"bob": 2})
    for number in (1, 4, 4):
        await delete(changes, "ann", number)
    assert (await rooms.admit(ROOM, "bob")).unread == 2
    await rooms.claim(ROOM, "bob")
    (listed,) = (await summaries.of_user("bob")).rooms
    assert listed.unread == 2
    await redis_client.hset(keys.members(ROOM), "bob", '{"role":"member","since":5}')
    assert (await rooms.admit(ROOM, "bob")).unread == 1


async def test_repeating_each_after_a_cut_changes_nothing_twice(
    twice_link: RedisClient, send: Send, redis_client: Redis
) -> None:
    """The first answer was lost: the second one is the same, or says that it was so."""
    await send("hello")
    changes = make_changes(twice_link, make_log(twice_link))
    assert not (await edit(changes, "ann", "new")).duplicate
    await react(changes, "ann", "x")
    await pin(changes, "mod")
    await delete(changes, "ann")
    top: Any = await redis_client.hget(keys.meta(ROOM), "offset")
    assert top == "5"


async def test_what_is_kept_of_changes_is_bounded(
    link: RedisClient, redis_client: Redis
) -> None:
    """It goes with the history, and what both log and history have left goes too."""
    log = make_log(link, history_limit=5, log_limit=1000)
    send, changes = sender(log), make_changes(link, log)
    for number in range(1, 31):
        await send()
        await react(changes, "ann", "x", message=number)
        await delete(changes, "ann", max(1, number - 2))
    numbers: Any = await redis_client.hkeys(keys.reactions(ROOM))
    assert set(numbers) <= {"29", "30"}
    reactors: Any = await redis_client.zcard(keys.reactors(ROOM))
    assert reactors <= 4
    short = make_log(link, history_limit=5, log_limit=10)
    await delete(make_changes(link, short), "ann", 30)
    deleted: Any = await redis_client.zcard(keys.deleted(ROOM))
    assert deleted == 15


async def test_all_of_it_ends_with_the_room(
    changes: MessageChanges, send: Send, rooms: Memberships, redis_client: Redis
) -> None:
    """And stays if somebody comes back in time."""
    for _ in range(2):
        await send()
    await delete(changes, "ann", 1)
    await react(changes, "ann", "x", message=2)
    await pin(changes, "mod", 2)
    own = [
        make(ROOM) for make in (keys.deleted, keys.reactions, keys.reactors, keys.pins)
    ]
    for user in ("ann", "bob", "mod", "own", ODD_USER):
        await rooms.quit(ROOM, user)
    for key in own:
        assert 0 < await redis_client.ttl(key) <= 3600, key
    await rooms.admit(ROOM, "ann")
    for key in own:
        assert await redis_client.ttl(key) == -1, key
        await redis_client.expire(key, 60)


@pytest.mark.parametrize("lost", ["meta", "meta and log", "meta and messages"])
async def test_a_lost_meta_hash_is_mended_after_changes(
    changes: MessageChanges, send: Send, log: MessageLog, redis_client: Redis, lost: str
) -> None:
    """The next message has the next number, and no change an offset that was taken."""
    await send("one")
    await send("two")
    await edit(changes, "ann", "new")
    await react(changes, "ann", "x", message=2)
    await delete(changes, "ann", 1)
    await react(changes, "ann", "y", message=2)
    gone = [getattr(keys, each)(ROOM) for each in lost.split(" and ")]
    await redis_client.delete(*gone)
    done = await send("three")
    assert (done.message, done.offset) == (3, 7)
    flags: Any = await redis_client.hmget(keys.meta(ROOM), "deletions", "reactions")
    assert flags == ["1", "1"]
