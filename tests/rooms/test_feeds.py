"""The active rooms of a node: caught up after a gap, beside what people ask for."""

import asyncio

from realtime.redis.pubsub import Batch, Subscriber
from realtime.redis.url import connection_factory
from realtime.rooms.catch_up import BACKLOG_JOBS, CATCH_UP_ROOMS, CatchUp
from realtime.rooms.feeds import RoomFeeds
from realtime.store import keys
from realtime.store.message_log import MessageLog
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until

# Of what people ask for at the same time.
SPARE_CALLS = 20


class Nobody:
    """What a router is, for rooms in which there is nobody."""

    def __init__(self, feeds: RoomFeeds) -> None:
        self.lost = feeds.lost
        self.ready = feeds.ready
        self.waiting = 0

    def due(self) -> None:
        """Nothing is held back."""

    def receive(self, batch: Batch) -> None:
        """Nothing is published."""

    def deliver(self, channel: str, events: list[bytes]) -> None:
        """Nobody gets it."""

    def backlog(self, channel: str) -> int:
        """As the test says."""
        return self.waiting

    async def after_gap(self, channel: str) -> None:
        """Nobody is told."""


async def test_a_gap_of_many_rooms_refuses_nobody(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Their logs are read some at a time: there is room for people's requests."""
    async with make_link(limit_calls=CATCH_UP_ROOMS + SPARE_CALLS) as link:
        subscriber = Subscriber(
            connection_factory(redis_server.url, timeout_seconds=1_000 * MS),
            connect_seconds=1_000 * MS,
            silence_seconds=2_000 * MS,
        )
        catch_up = CatchUp(MessageLog.reader(link), subscriber)
        feeds = RoomFeeds(catch_up, subscriber, open_seconds=5_000 * MS)
        nobody = Nobody(feeds)
        async with running(subscriber.run(nobody), catch_up.run(nobody)):
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


async def test_a_room_that_is_slow_to_serve_takes_no_more(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Memory stays bounded; what was not taken is made up for when it goes on."""
    async with make_link() as link:
        subscriber = Subscriber(
            connection_factory(redis_server.url, timeout_seconds=1_000 * MS),
            connect_seconds=1_000 * MS,
            silence_seconds=2_000 * MS,
        )
        catch_up = CatchUp(MessageLog.reader(link), subscriber)
        feeds = RoomFeeds(catch_up, subscriber, open_seconds=5_000 * MS)
        nobody = Nobody(feeds)
        typing = b'["typing",{"room":"42"}]'
        async with running(subscriber.run(nobody), catch_up.run(nobody)):
            feed = await feeds.hold("chatroom-42")
            assert feeds.receive("chatroom-42", typing, fits=True)
            nobody.waiting = BACKLOG_JOBS
            assert not feeds.receive("chatroom-42", typing, fits=False)
            assert not feed.live
            nobody.waiting = 0
            await wait_until(lambda: feed.live, "the feed goes on")
            assert feeds.receive("chatroom-42", typing, fits=True)
