"""Nodes that would not hear each other do not run on one Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from realtime.errors import ConflictError
from realtime.redis.client import RedisClient
from realtime.redis.site import RedisSite
from realtime.store import keys
from realtime.store.publishing import HOLDS_SECONDS, Publishing
from tests.kit.running import running
from tests.kit.store_fixtures import TIMEOUT_SECONDS
from tests.kit.waiting import DEADLINE_SECONDS, MS


async def test_nodes_that_publish_otherwise_do_not_start(
    link: RedisClient, redis_client: Redis, redis_url: str
) -> None:
    """A cluster's nodes and those behind a proxy in front of it: one kind at a time."""
    first = Publishing(link)
    await first.begin()
    async with running(first.run()), asyncio.timeout(DEADLINE_SECONDS):
        while not await redis_client.exists(keys.PUBLISHING):
            await asyncio.sleep(MS)
    await Publishing(link).begin()
    site = RedisSite(redis_url, timeout_seconds=TIMEOUT_SECONDS)
    other = site.client(limit_calls=10)
    other.publish_command = "PUBLISH" if other.is_cluster else "SPUBLISH"
    async with running(other.run()):
        says = f"publish with {link.publish_command}, and this one"
        with pytest.raises(ConflictError, match=says):
            await Publishing(other).begin()
    assert 0 < await redis_client.ttl(keys.PUBLISHING) <= HOLDS_SECONDS
