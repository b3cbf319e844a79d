"""The active rooms of a node: opened with the first session, given up with the last."""

import asyncio
import logging
from collections.abc import Collection, ItemsView

from realtime.errors import UnavailableError
from realtime.redis.pubsub import Subscriber
from realtime.rooms.catch_up import CatchUp
from realtime.rooms.feed import RoomFeed, Verdict
from realtime.rooms.replay_buffer import RecentMemory
from realtime.store import events, keys

_logger = logging.getLogger(__name__)


class RoomFeeds:
    """All active rooms of this node. Room ids are given as their channels' names.

    Args:
        catch_up: Reads the rooms' logs.
        subscriber: The Pub/Sub connection.
        open_seconds: Deadline of opening a room.
        memory: What the recent events of all rooms may take.
    """

    def __init__(
        self,
        catch_up: CatchUp,
        subscriber: Subscriber,
        *,
        open_seconds: float,
        memory: RecentMemory | None = None,
    ) -> None:
        self._catch_up = catch_up
        self._subscriber = subscriber
        self._open_seconds = open_seconds
        self._memory = memory or RecentMemory()
        self._feeds: dict[str, RoomFeed] = {}
        self._watched: set[str] = set()

    def __len__(self) -> int:
        return len(self._feeds)

    def held(self) -> dict[str, int]:
        """Return what is kept of active rooms, counted by kind."""
        feeds = [feed.held() for feed in self._feeds.values()]
        return {
            "feeds": len(feeds),
            **self._catch_up.held(),
            "feed_events": sum(events for events, _, _ in feeds),
            "feed_bytes": sum(size for _, size, _ in feeds),
            "feed_entries": sum(entries for _, _, entries in feeds),
        }

    def items(self) -> ItemsView[str, RoomFeed]:
        """Return the active rooms by channel; not to be kept."""
        return self._feeds.items()

    def get(self, channel: str) -> RoomFeed | None:
        """Return a channel's feed if the room is active here."""
        return self._feeds.get(channel)

    async def hold(self, channel: str) -> RoomFeed:
        """Make a room active and keep it so until :meth:`release`.

        Returns once the channel's subscription is confirmed and the log's top is
        known: whatever is published from now on arrives here.

        Raises:
            UnavailableError: Redis does not answer in time.
        """
        feed = self._feeds.get(channel)
        if feed is None:
            feed = RoomFeed(keys.room_of_channel(channel), self._memory)
            self._feeds[channel] = feed
            self._catch_up.begin_opening(channel, feed)
        feed.holds += 1
        opening = self._catch_up.opened(channel)
        if opening is None:
            return feed
        try:
            async with asyncio.timeout(self._open_seconds):
                await asyncio.shield(opening)
        except TimeoutError:
            self.release(channel)
            raise UnavailableError("Redis cannot be reached.") from None
        except BaseException:
            self.release(channel)
            raise
        return feed

    async def catch_up(self, channel: str) -> None:
        """Read the log of a room that is held up to its top, and return then.

        Raises:
            UnavailableError: Redis does not answer in time.
        """
        self.read_again(channel)
        try:
            async with asyncio.timeout(self._open_seconds):
                await self._catch_up.wait(channel)
        except TimeoutError:
            raise UnavailableError("Redis cannot be reached.") from None

    def read_again(self, channel: str) -> None:
        """Have a room's log read up to its top, soon."""
        self._catch_up.begin(channel, self._feeds[channel])

    def keep(self, channel: str) -> None:
        """Add a hold to a room that is active already."""
        self._feeds[channel].holds += 1

    def release(self, channel: str) -> None:
        """Give one hold back; the last one ends the subscription."""
        feed = self._feeds.get(channel)
        if feed is None:
            return
        feed.holds -= 1
        if feed.holds > 0:
            return
        del self._feeds[channel]
        feed.recent.forget()
        self._catch_up.forget(channel)
        if channel not in self._watched:
            self._subscriber.unsubscribe(channel)

    def watch(self, channel: str) -> asyncio.Future[None]:
        """Subscribe a channel without a feed; done when Redis has confirmed it."""
        self._watched.add(channel)
        return self._subscriber.subscribe(channel)

    def unwatch(self, channel: str) -> None:
        """End :meth:`watch`; a room that is active stays subscribed."""
        self._watched.discard(channel)
        if channel not in self._feeds:
            self._subscriber.unsubscribe(channel)

    def receive(self, channel: str, event: bytes, *, fits: bool) -> bool:
        """Take a publication; true if it is to be delivered now.

        Args:
            channel: The room's.
            event: What was published.
            fits: Whether the room's fan-out can take more.
        """
        feed = self._feeds.get(channel)
        if feed is None:
            return False
        position = events.position_of(event)
        if position is None:
            return self._receive_notice(channel, feed, event, fits=fits)
        verdict = feed.judge(position)
        if verdict is Verdict.NEXT and fits:
            feed.advance(position, event)
            return True
        if verdict is not Verdict.KNOWN:
            self._catch_up.begin(channel, feed)
        return False

    def _receive_notice(
        self, channel: str, feed: RoomFeed, event: bytes, *, fits: bool
    ) -> bool:
        """Take an event that is not of the log: dropped first under load."""
        if not events.is_event(event):
            _logger.error("What is published on %s is no event; ignored", channel)
            return False
        if events.is_room_notice(event):
            feed.notice(event)
        if fits:
            return True
        feed.notices_missed = True
        self._catch_up.begin(channel, feed)
        return False

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Take note that publications may be missed from now on.

        Args:
            channels: Of these channels; None: of all.
        """
        for _, feed in self._of(channels):
            feed.lost()

    def ready(self, channels: Collection[str] | None = None) -> None:
        """Catch rooms up: these channels, or all of them, are subscribed again."""
        for channel, feed in self._of(channels):
            if self._catch_up.opened(channel) is None:
                self._catch_up.begin(channel, feed)

    def _of(self, channels: Collection[str] | None) -> list[tuple[str, RoomFeed]]:
        feeds = self._feeds
        if channels is None:
            return [*feeds.items()]
        return [(each, feeds[each]) for each in channels if each in feeds]
