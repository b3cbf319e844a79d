"""Durability: an ack goes out when the write is as safe as was asked, not before."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from realtime import keys
from realtime.durability import MEMORY, Durability, parse_level
from realtime.errors import OutcomeUnknownError
from realtime.message_log import MessageLog
from realtime.redis_link import RedisLink
from realtime.redis_url import connection_factory
from realtime.rooms import Rooms
from tests.redis_server import RedisServer
from tests.waiting import MS

TIMEOUT_SECONDS = 500 * MS


@pytest.fixture
async def durability(redis_server: RedisServer) -> AsyncIterator[Durability]:
    """Rooms without a level of their own are as safe as Redis's memory."""
    made = Durability(
        connection_factory(redis_server.url, timeout_seconds=5_000 * MS),
        default=MEMORY,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    yield made
    await made.aclose()


async def test_fsync_is_reached_with_an_append_only_file(
    durability: Durability, redis_client: Redis
) -> None:
    """Redis says itself that the file on disk has the write."""
    await redis_client.config_set("appendfsync", "always")
    try:
        assert await durability.confirm("fsync") == "fsync"
    finally:
        await redis_client.config_set("appendfsync", "everysec")


async def test_many_writes_wait_together(
    durability: Durability, redis_client: Redis
) -> None:
    """A hundred acks cost a few confirmations, not a hundred."""
    await redis_client.config_set("appendfsync", "always")
    try:
        await asyncio.gather(*(durability.confirm("fsync") for _ in range(100)))
    finally:
        await redis_client.config_set("appendfsync", "everysec")
    said = await redis_client.info("commandstats")
    assert 1 <= said["cmdstat_waitaof"]["calls"] <= 3


async def test_what_is_not_reached_is_unknown(durability: Durability) -> None:
    """No replica is there: the write stands, and nobody says that it is safe."""
    with pytest.raises(OutcomeUnknownError):
        await durability.confirm("replicas:1")


async def test_no_file_is_no_fsync(durability: Durability, redis_client: Redis) -> None:
    """Redis without an append-only file confirms nothing."""
    await redis_client.config_set("appendonly", "no")
    try:
        with pytest.raises(OutcomeUnknownError):
            await durability.confirm("fsync")
    finally:
        await redis_client.config_set("appendonly", "yes")


async def test_a_room_may_have_a_level_of_its_own(
    link: RedisLink, rooms: Rooms, durability: Durability, redis_client: Redis
) -> None:
    """Repeating the same clientId waits again, and makes no second message."""
    log = MessageLog(
        link,
        remember_seconds=60,
        log_limit=100,
        log_age_ms=100_000,
        history_limit=100,
        durability=durability,
    )
    await rooms.admit("42", "ann")
    await redis_client.hset(keys.meta("42"), "durability", "replicas:1")
    content = {"type": "text", "text": "hello"}
    for _ in range(2):
        with pytest.raises(OutcomeUnknownError):
            await log.append(room="42", user="ann", client_id="c", content=content)
    await redis_client.hdel(keys.meta("42"), "durability")
    done = await log.append(room="42", user="ann", client_id="c", content=content)
    assert (done.message, done.duplicate, done.durability) == (1, True, "memory")


@pytest.mark.parametrize("text", ["", "disk", "replicas:0", "replicas:100", "fsync "])
def test_a_wrong_level_is_refused(text: str) -> None:
    """A typing error must not make acks less safe than they say."""
    with pytest.raises(ValueError, match="Must be"):
        parse_level(text)
