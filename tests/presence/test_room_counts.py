"""Counts of large rooms: the last one that is told is the true one, in time."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.redis.url import connection_factory
from realtime.store import keys, scripts
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.store_fixtures import LinkMaker, said
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from verify.harness.proxy import Direction, FaultProxy, Line


async def next_count(channel: PubSub) -> int:
    """Return the count that is told next."""
    message: Any = await channel.get_message(timeout=DEADLINE_SECONDS)
    assert message, "nothing was told"
    event, payload = json.loads(message["data"])
    assert (event, payload["room"]) == ("presence", "42")
    count: int = payload["onlineCount"]
    return count


async def test_one_broken_room_silences_no_other(
    counts: RoomCounts,
    channel: PubSub,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error of Redis is logged, and counts go on."""
    await redis_client.set(keys.online("41"), "not a hash")
    counts.changed("41")
    await wait_until(lambda: "room 41 cannot be" in caplog.text, "it is logged")
    await redis_client.hset(keys.online("42"), "ann", "1")
    counts.changed("42")
    assert await next_count(channel) == 1


async def test_a_count_that_could_not_be_told_is_told_later(
    make_link: LinkMaker,
    redis_server: RedisServer,
    channel: PubSub,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last one comes always, whatever the node was busy with."""
    await redis_client.hset(keys.online("42"), "ann", "1")
    async with make_link(limit_calls=10, timeout_seconds=5_000 * MS) as busy:
        await busy.call("PING")
        counts = RoomCounts.of_presence(busy)
        async with running(counts.run()):
            redis_server.pause()
            waiting = [busy.call("PING") for _ in range(10)]
            counts.changed("42")
            await wait_until(lambda: "not announced" in caplog.text, "it is refused")
            redis_server.resume()
            await asyncio.gather(*waiting)
            assert await next_count(channel) == 1


@ONE_VALKEY
async def test_the_last_count_told_is_the_true_one(
    counts: RoomCounts,
    redis_server: RedisServer,
    channel: PubSub,
    redis_client: Redis,
    tmp_path: Path,
) -> None:
    """A node whose line is slow does not tell an older count after a newer one."""
    path = tmp_path / "proxy.sock"
    proxy = FaultProxy(lambda: asyncio.open_unix_connection(redis_server.url[7:]))
    await proxy.listen_unix(path)
    link = RedisClient(
        connection_factory(f"unix://{path}", timeout_seconds=1_000 * MS),
        timeout_seconds=8_000 * MS,
        limit_calls=100,
        scripts=scripts.ALL,
    )
    link.start()
    slow = RoomCounts.of_presence(link)
    async with running(slow.run()):
        await link.call("PING")
        proxy.set_line(Line(stalled=frozenset({Direction.DOWN})))
        await redis_client.hset(keys.online("42"), "ann", "1")
        slow.changed("42")
        await wait_until(
            lambda: "cmdstat_hlen" in redis_server.admin.info("commandstats"),
            "the slow one has looked",
        )
        await redis_client.hset(keys.online("42"), "bob", "1")
        counts.changed("42")
        while await next_count(channel) != 2:
            continue
        proxy.set_line(Line())
        await link.call("PING")
        await wait_until(lambda: not link.under_way, "nothing is left to tell")
        assert await said(channel, redis_client) == []
    await link.aclose()
    await proxy.aclose()


async def test_members_of_small_rooms_are_not_counted(
    link: RedisClient, channel: PubSub, redis_client: Redis
) -> None:
    """There everybody is told who came; in larger ones how many there are."""
    counts = RoomCounts.of_members(link, announce_members=2)
    async with running(counts.run()):
        for user in ("ann", "bob", "cid"):
            await redis_client.hset(keys.members("42"), user, "{}")
            counts.changed("42")
            await wait_until(lambda: not len(counts), "it was asked for")
            await link.call(link.publish_command, "chatroom-42", user)
        told = [await _next(channel) for _ in range(4)]
    assert told == [
        *("ann", "bob"),
        '["member_count",{"room":"42","memberCount":3}]',
        "cid",
    ]


async def _next(channel: PubSub) -> str:
    message: Any = await channel.get_message(timeout=DEADLINE_SECONDS)
    assert message, "nothing was told"
    data: str = message["data"]
    return data
