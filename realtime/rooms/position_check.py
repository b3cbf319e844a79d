"""Compares the rooms' logs with what was delivered, for what Pub/Sub does not tell."""

import asyncio
import logging
from collections.abc import Hashable
from itertools import islice

from realtime.errors import ChatError
from realtime.redis.pubsub import Subscriber
from realtime.rooms.feed import RoomFeed
from realtime.rooms.feeds import RoomFeeds
from realtime.store.message_log import FeedLog

_logger = logging.getLogger(__name__)

# How often some rooms' tops are compared, so that a lost last publication is found
# without a next one.
CHECK_SECONDS = 1.0

# Rooms compared at once: one pipeline of HMGETs, some 5 ms of this node's time.
CHECK_ROOMS = 200

# Time for a publication that is under way when the top is asked for: without it each
# look at a busy room would find it behind.
ARRIVAL_SECONDS = 0.5

# Looks in a row that find a publication missing, after which the Pub/Sub connection is
# made anew: one may be lost, two mean that it leads to the wrong server.
DEAF_ROUNDS = 2


class PositionCheck:
    """The periodic look at the tops of all active rooms, in rotation.

    Args:
        log_reader: Reads the rooms' logs.
        feeds: The active rooms.
        subscriber: Dropped when it lives but brings nothing.
    """

    def __init__(
        self, log_reader: FeedLog, feeds: RoomFeeds, subscriber: Subscriber
    ) -> None:
        self._log = log_reader
        self._feeds = feeds
        self._subscriber = subscriber
        self._next = 0

    async def run(self) -> None:
        """Look until cancelled."""
        deaf_rounds: dict[Hashable, int] = {}
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            missed = await self._compare(self._next_feeds())
            deaf_rounds = {wire: deaf_rounds.get(wire, 0) + 1 for wire in missed}
            for wire in [*deaf_rounds]:
                if deaf_rounds[wire] >= DEAF_ROUNDS:
                    # Connected, perhaps to a former primary, and hearing nothing.
                    self._subscriber.reconnect("publications do not arrive", wire)
                    del deaf_rounds[wire]

    async def _compare(self, feeds: list[tuple[str, RoomFeed]]) -> set[Hashable]:
        """Catch up the rooms that are behind; return which connections missed some."""
        asked = [feed.position for _, feed in feeds]
        tops = await asyncio.gather(
            *(self._log.top(feed.room) for _, feed in feeds), return_exceptions=True
        )
        await asyncio.sleep(ARRIVAL_SECONDS)
        missed: set[Hashable] = set()
        for (channel, feed), before, top in zip(feeds, asked, tops, strict=True):
            if isinstance(top, ChatError):
                continue
            if isinstance(top, BaseException):
                _logger.error("Room %s cannot be compared", feed.room, exc_info=top)
            elif self._feeds.get(channel) is feed and not feed.is_up_to(top, before):
                if feed.live:
                    missed.add(self._subscriber.wire_of(channel))
                self._feeds.read_again(channel)
        return missed

    def _next_feeds(self) -> list[tuple[str, RoomFeed]]:
        """Return the rooms whose turn it is."""
        if self._next >= len(self._feeds):
            self._next = 0
        begin = self._next
        self._next += CHECK_ROOMS
        return list(islice(self._feeds.items(), begin, begin + CHECK_ROOMS))
