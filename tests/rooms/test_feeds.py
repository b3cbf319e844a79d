"""The active rooms of a node: caught up after a gap, beside what people ask for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from realtime.errors import UnavailableError
from realtime.redis.client import RedisClient
from realtime.redis.pubsub import Batch, Subscriber
from realtime.redis.url import connection_factory
from realtime.rooms.catch_up import CATCH_UP_ROOMS, CatchUp
from realtime.rooms.feeds import RoomFeeds
from realtime.store import keys
from realtime.store.message_log import MessageLog
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until

# Of what people ask for at the same time.
SPARE_CALLS = 20


class Nobody:
    """What a router is, for rooms in which there is nobody."""

    def __init__(self, feeds: RoomFeeds) -> None:
        self.lost = feeds.lost
        self.ready = feeds.ready
        self.waiting = 0.0

    def due(self) -> None:
        """Nothing is held back."""

    def receive(self, batch: Batch) -> None:
        """Nothing is published."""

    def deliver(self, channel: str, events: list[bytes]) -> None:
        """Nobody gets it."""

    def backlog(self, channel: str) -> float:
        """As the test says."""
        return self.waiting

    async def after_gap(self, channel: str) -> None:
        """Nobody is told."""


@asynccontextmanager
async def serving(
    link: RedisClient, redis_server: RedisServer, *, open_seconds: float = 5_000 * MS
) -> AsyncIterator[tuple[RoomFeeds, Nobody]]:
    """Run the feeds of a node."""
    subscriber = Subscriber(
        connection_factory(redis_server.url, timeout_seconds=1_000 * MS),
        connect_seconds=1_000 * MS,
        silence_seconds=2_000 * MS,
    )
    catch_up = CatchUp(MessageLog.reader(link), subscriber)
    feeds = RoomFeeds(catch_up, subscriber, open_seconds=open_seconds)
    nobody = Nobody(feeds)
    async with running(subscriber.run(nobody), catch_up.run(nobody)):
        yield feeds, nobody


@ONE_VALKEY
async def test_a_gap_of_many_rooms_refuses_nobody(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Their logs are read some at a time: there is room for people's requests."""
    async with (
        make_link(limit_calls=CATCH_UP_ROOMS + SPARE_CALLS) as link,
        serving(link, redis_server) as (feeds, _),
    ):
        for number in range(3 * CATCH_UP_ROOMS):
            await feeds.hold(keys.channel(f"r{number}"))
        feeds.lost()
        feeds.ready()
        await asyncio.sleep(0)
        assert feeds.held()["feeds_catching_up"] == 3 * CATCH_UP_ROOMS
        asked = [link.call("PING") for _ in range(SPARE_CALLS)]
        assert set(await asyncio.gather(*asked)) == {b"PONG"}
        await wait_until(
            lambda: all(feed.live for _, feed in feeds.items()), "all are live"
        )


@ONE_VALKEY
async def test_a_room_that_is_slow_to_serve_takes_no_more(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Memory stays bounded; what was not taken is made up for when it goes on."""
    async with make_link() as link:
        typing = b'["typing",{"room":"42"}]'
        async with serving(link, redis_server) as (feeds, nobody):
            feed = await feeds.hold("chatroom-42")
            assert feeds.receive("chatroom-42", typing, fits=True)
            nobody.waiting = 1.0
            assert not feeds.receive("chatroom-42", typing, fits=False)
            assert not feed.live
            nobody.waiting = 0.0
            await wait_until(lambda: feed.live, "the feed goes on")
            assert feeds.receive("chatroom-42", typing, fits=True)


@ONE_VALKEY
async def test_a_room_is_not_waited_for_while_redis_hangs(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Who wants in is told to come back, and finds it open when Redis answers."""
    async with (
        make_link() as link,
        serving(link, redis_server, open_seconds=200 * MS) as (feeds, _),
    ):
        await feeds.hold("chatroom-1")
        redis_server.pause()
        with pytest.raises(UnavailableError):
            await feeds.hold("chatroom-2")
        with pytest.raises(UnavailableError):
            await feeds.catch_up("chatroom-1")
        assert [channel for channel, _ in feeds.items()] == ["chatroom-1"]
        redis_server.resume()

        async def opens() -> bool:
            try:
                return bool(await feeds.hold("chatroom-2"))
            except UnavailableError:
                return False

        await wait_until(opens, "it is open")
        feed = feeds.get("chatroom-1")
        assert feed is not None
        await wait_until(lambda: feed.live, "the other one goes on as well")
