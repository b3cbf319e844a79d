"""Durability: an ack goes out when the write is as safe as was asked, not before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from redis.asyncio import Redis

from realtime.errors import OutcomeUnknownError
from realtime.redis.client import RedisClient
from realtime.redis.durability import Durability, parse_level
from realtime.redis.site import RedisSite
from realtime.store import scripts
from realtime.store.membership import Memberships
from realtime.store.scripts import Appended
from realtime.tasks import TaskStack
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import make_log
from tests.kit.waiting import MS, wait_until

TIMEOUT_SECONDS = 500 * MS
# For a disk that is busy with other things.
FSYNC_SECONDS = 8_000 * MS


Append = Callable[..., Awaitable[Appended]]


@pytest.fixture
async def append(
    link: RedisClient, rooms: Memberships, redis_server: RedisServer
) -> AsyncIterator[Append]:
    """Append a message at a level."""
    made: dict[str, Durability] = {}
    await rooms.admit("42", "ann")

    async def append(level: str, client_id: str = "c") -> Appended:
        durability = made.get(level)
        if durability is None:
            site = RedisSite(redis_server.url, timeout_seconds=5_000 * MS)
            durability = made[level] = site.durability(
                level=parse_level(level),
                timeout_seconds=FSYNC_SECONDS if level == "fsync" else TIMEOUT_SECONDS,
                scripts=scripts.ALL,
            )
            tasks.start(durability.run(), level)
        log = make_log(link, durability=durability)
        assert log.durability == level
        content = {"type": "text", "text": "hello"}
        return await log.append(
            room="42", user="ann", client_id=client_id, content=content
        )

    async with TaskStack() as tasks:
        yield append
    assert not tasks.failed


async def test_fsync_is_reached_with_an_append_only_file(append: Append) -> None:
    """Redis says itself that the file on disk has the write."""
    done = await append("fsync")
    assert (done.message, done.duplicate) == (1, False)


async def test_many_writes_wait_together(append: Append, redis_client: Redis) -> None:
    """A hundred acks cost a few confirmations, not a hundred."""
    await append("fsync", "first")
    await redis_client.config_resetstat()
    await asyncio.gather(*(append("fsync", f"c{number}") for number in range(100)))
    said = await redis_client.info("commandstats")
    assert 1 <= said["cmdstat_waitaof"]["calls"] <= 5


async def test_what_is_not_reached_is_unknown(append: Append) -> None:
    """No replica is there: the write stands, and nobody says that it is safe."""
    with pytest.raises(OutcomeUnknownError):
        await append("replicas:1")
    again = await append("memory")
    assert (again.message, again.duplicate) == (1, True)


async def test_no_file_is_no_fsync(append: Append, redis_client: Redis) -> None:
    """Redis without an append-only file confirms nothing."""
    await redis_client.config_set("appendonly", "no")
    try:
        with pytest.raises(OutcomeUnknownError):
            await append("fsync")
    finally:
        await redis_client.config_set("appendonly", "yes")


@pytest.fixture
def old_redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """A Redis of a version that had no WAITAOF, to begin with."""
    redis_server.kill()
    redis_server.start("--rename-command", "WAITAOF", "")
    yield redis_server
    redis_server.kill()


async def test_without_waitaof_only_a_sync_with_each_write_is_proof(
    old_redis: RedisServer, append: Append
) -> None:
    """What an older Redis cannot confirm is not called safe."""
    old_redis.admin.config_set("appendfsync", "everysec")
    with pytest.raises(OutcomeUnknownError, match="neither"):
        await append("fsync")
    old_redis.admin.config_set("appendfsync", "always")
    assert (await append("fsync")).duplicate


async def test_a_redis_that_forbids_to_ask_confirms_nothing(
    old_redis: RedisServer, append: Append
) -> None:
    """Without CONFIG it cannot be known whether writes are synced."""
    old_redis.admin.execute_command("ACL", "SETUSER", "default", "-config")
    with pytest.raises(OutcomeUnknownError, match="cannot confirm"):
        await append("fsync")


async def test_a_cut_between_write_and_confirmation_is_unknown(
    append: Append, redis_server: RedisServer
) -> None:
    """Another connection may lead to another server, which never had the write."""
    waiting = asyncio.ensure_future(append("replicas:1"))

    def in_wait() -> bool:
        return bool(redis_server.admin.info("clients")["blocked_clients"])

    await wait_until(in_wait, "the confirmation is waited for")
    redis_server.admin.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(OutcomeUnknownError):
        await waiting


@pytest.mark.parametrize("text", ["", "disk", "replicas:0", "replicas:100", "fsync "])
def test_a_wrong_level_is_refused(text: str) -> None:
    """A typing error must not make acks less safe than they say."""
    with pytest.raises(ValueError, match="Must be"):
        parse_level(text)
