"""Fixtures of the stores: one link to a real Valkey, and the stores on it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.redis.site import RedisSite
from realtime.store import scripts
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.room_snapshot import RoomSnapshots
from realtime.store.room_summaries import RoomSummaries
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.waiting import DEADLINE_SECONDS, MS

TIMEOUT_SECONDS = 1_000 * MS
LinkMaker = Callable[..., AbstractAsyncContextManager[RedisClient]]
Send = Callable[..., Awaitable[Any]]


@pytest.fixture
def make_link(redis_server: RedisServer) -> LinkMaker:
    """Make a started link with the options given; it ends with its block."""

    @asynccontextmanager
    async def make(
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        limit_calls: int = 20_000,
        url: str = redis_server.url,
    ) -> AsyncIterator[RedisClient]:
        site = RedisSite(url, timeout_seconds=timeout_seconds)
        link = site.client(limit_calls=limit_calls, scripts=scripts.ALL)
        link.start()
        try:
            yield link
        finally:
            await link.aclose()

    return make


@asynccontextmanager
async def unheard_log(url: str) -> AsyncIterator[MessageLog]:
    """Return a log whose messages are stored and whose publications nobody hears."""
    # It begins with connecting, to all servers that there are.
    site = RedisSite(url, timeout_seconds=5 * TIMEOUT_SECONDS)
    redis = site.client(limit_calls=10)
    # Sharded channels are other ones than those that are not.
    redis.publish_command = "PUBLISH" if redis.is_cluster else "SPUBLISH"
    redis.start()
    try:
        yield make_log(redis)
    finally:
        await redis.aclose()


@pytest.fixture
async def link(make_link: LinkMaker) -> AsyncIterator[RedisClient]:
    """A link with a generous deadline, for the stores."""
    async with make_link(timeout_seconds=5_000 * MS) as made:
        yield made


@pytest.fixture
def states(link: RedisClient) -> RoomSnapshots:
    """What a join tells of a room; three are listed, more are counted."""
    return RoomSnapshots(link, announce_members=3)


@pytest.fixture
async def twice_link(
    make_link: LinkMaker, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RedisClient]:
    """A link that repeats each script, as when a cut swallows the first answer."""
    async with make_link() as made:
        once = made.run_script

        async def twice(*call: Any) -> Any:
            await once(*call)
            return await once(*call)

        monkeypatch.setattr(made, "run_script", twice)
        yield made


@pytest.fixture
def rooms(link: RedisClient) -> Memberships:
    """The membership of rooms."""
    return Memberships(link, user_rooms_limit=3, empty_room_seconds=3600)


@pytest.fixture
def summaries(link: RedisClient, rooms: Memberships) -> RoomSummaries:
    """The lines of users' rooms."""
    return RoomSummaries(link, rooms)


@pytest.fixture
def log(link: RedisClient) -> MessageLog:
    """A log with room for all that a test writes."""
    return make_log(link)


@pytest.fixture
def send(log: MessageLog) -> Send:
    """Append a text to room 42 as ann, under a clientId of its own."""
    return sender(log)


def make_log(link: RedisClient, **keywords: Any) -> MessageLog:
    """Return a log with the keywords given, and ample limits for the rest."""
    ample: dict[str, Any] = {
        "remember_seconds": 3600,
        "log_limit": 10_000,
        "log_age_ms": 3_600_000,
        "history_limit": 10_000,
    }
    return MessageLog(link, **(ample | keywords))


def sender(log: MessageLog) -> Send:
    """Return a function that appends a text to a log."""
    sent = 0

    async def send(
        text: str = "hello",
        *,
        room: str = "42",
        user: str = "ann",
        client_id: str | None = None,
    ) -> Any:
        nonlocal sent
        sent += 1
        return await log.append(
            room=room,
            user=user,
            client_id=client_id or f"c{sent}",
            content={"type": "text", "text": text},
        )

    return send


@pytest.fixture
async def counts(link: RedisClient) -> AsyncIterator[RoomCounts]:
    """Announces counts of large rooms, at one node."""
    made = RoomCounts.of_presence(link)
    async with running(made.run()):
        yield made


@pytest.fixture
async def channel(redis_client: Redis) -> AsyncIterator[PubSub]:
    """A subscription of the room's channel."""
    async with redis_client.pubsub() as pubsub:
        await pubsub.subscribe("chatroom-42")
        await pubsub.get_message(timeout=DEADLINE_SECONDS)
        yield pubsub


async def said(channel: PubSub, redis_client: Redis) -> list[Any]:
    """Return all that was published on the channel so far."""
    await redis_client.publish("chatroom-42", '"end"')
    found: list[Any] = []
    while True:
        message: Any = await channel.get_message(timeout=DEADLINE_SECONDS)
        payload = json.loads(message["data"])
        if payload == "end":
            return found
        found.append(payload)
