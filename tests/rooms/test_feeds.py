"""The active rooms of a node: caught up after a gap, beside what people ask for."""

import asyncio

from realtime.redis.pubsub import Subscriber
from realtime.redis.url import connection_factory
from realtime.rooms.feeds import CATCH_UP_ROOMS, RoomFeeds
from realtime.store import keys
from realtime.store.message_log import MessageLog
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until

# Of what people ask for at the same time.
SPARE_CALLS = 20


async def test_a_gap_of_many_rooms_refuses_nobody(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Their logs are read some at a time: there is room for people's requests."""
    async with make_link(limit_calls=CATCH_UP_ROOMS + SPARE_CALLS) as link:
        subscriber = Subscriber(
            connection_factory(redis_server.url, timeout_seconds=1_000 * MS),
            on_batch=lambda _batch: None,
            on_lost=lambda: feeds.lost(),
            on_ready=lambda: feeds.ready(),
            connect_seconds=1_000 * MS,
            silence_seconds=2_000 * MS,
        )
        feeds = RoomFeeds(
            MessageLog.reader(link),
            subscriber,
            deliver=lambda _channel, _events: None,
            backlog=lambda _channel: 0,
            open_seconds=5_000 * MS,
        )
        subscriber.start()
        try:
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
        finally:
            await feeds.aclose()
            await subscriber.aclose()
