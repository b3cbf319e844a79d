"""The active rooms of a node: opened with the first session, caught up after gaps."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, ItemsView
from contextlib import AbstractAsyncContextManager, nullcontext

import orjson

from realtime import json_codec
from realtime.errors import ChatError, UnavailableError
from realtime.redis.pubsub import Subscriber
from realtime.rooms.feed import NOTICES, RoomFeed, Verdict
from realtime.rooms.replay_buffer import RecentMemory
from realtime.store import keys
from realtime.store.message_log import MessageLog
from realtime.store.position import as_log_event, position_of

log = logging.getLogger(__name__)

CATCH_UP_ROOMS = 100
"""Rooms whose logs are read at the same time: after a gap of a node with thousands of
rooms, people's own requests do not wait behind all of them."""

CATCH_UP_EVENTS = 500
"""Events read from the log in one go: 2 MB at the largest texts."""

RETRY_SECONDS = 0.2
"""Pause after a failed read: Redis is away, and the link reconnects by itself."""

BACKLOG_JOBS = 200
"""Hand-overs that may wait in a room's fan-out. Beyond it nothing more is taken from
Pub/Sub; the log is read when the fan-out has caught up. Memory stays bounded."""

Deliver = Callable[[str, list[bytes]], None]


class RoomFeeds:
    """All active rooms of this node.

    Args:
        log_reader: Reads the rooms' logs.
        subscriber: The Pub/Sub connection.
        deliver: Hands encoded event arrays to a room's sessions, without suspending.
        backlog: Returns how many hand-overs of a room are still going out.
        open_seconds: Deadline of opening a room.
        memory: What the recent events of all rooms may take.
    """

    def __init__(
        self,
        log_reader: MessageLog,
        subscriber: Subscriber,
        *,
        deliver: Deliver,
        backlog: Callable[[str], int],
        open_seconds: float,
        memory: RecentMemory | None = None,
    ) -> None:
        self._log = log_reader
        self._subscriber = subscriber
        self._deliver = deliver
        self._backlog = backlog
        self._open_seconds = open_seconds
        self._memory = memory or RecentMemory()
        self._feeds: dict[str, RoomFeed] = {}
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._opening: dict[str, asyncio.Future[None]] = {}
        self._losses = 0
        self._slots = asyncio.Semaphore(CATCH_UP_ROOMS)
        self.after_gap: Callable[[str], Awaitable[None]] | None = None
        """Called after a gap in which notices were missed; may raise ChatError."""

    async def aclose(self) -> None:
        """End all tasks; no room is active any more."""
        tasks = [*self._catching_up.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._catching_up.clear()
        self._feeds.clear()

    def __len__(self) -> int:
        return len(self._feeds)

    def held(self) -> dict[str, int]:
        """Return what is kept of active rooms, counted by kind."""
        feeds = [feed.held() for feed in self._feeds.values()]
        return {
            "feeds": len(feeds),
            "feeds_opening": len(self._opening),
            "feeds_catching_up": len(self._catching_up),
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
            feed = self._feeds[channel] = self._new_feed(channel)
            ready = asyncio.get_running_loop().create_future()
            self._opening[channel] = ready
            self._start_reading(channel, feed, opening=ready)
        feed.holds += 1
        opening = self._opening.get(channel)
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

    def _new_feed(self, channel: str) -> RoomFeed:
        return RoomFeed(keys.room_of_channel(channel), self._memory)

    async def catch_up(self, channel: str) -> None:
        """Read the log of a room that is held up to its top, and return then.

        Raises:
            UnavailableError: Redis does not answer in time.
        """
        self._catch_up(channel, self._feeds[channel])
        try:
            async with asyncio.timeout(self._open_seconds):
                await asyncio.wait([self._catching_up[channel]])
        except TimeoutError:
            raise UnavailableError("Redis cannot be reached.") from None

    def read_again(self, channel: str) -> None:
        """Have a room's log read up to its top, soon."""
        self._catch_up(channel, self._feeds[channel])

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
        self._subscriber.unsubscribe(channel)
        reading = self._catching_up.pop(channel, None)
        if reading is not None:
            reading.cancel()
        opening = self._opening.pop(channel, None)
        if opening is not None:
            opening.cancel()

    def receive(self, channel: str, event: bytes) -> bool:
        """Take a publication; true if it is to be delivered now."""
        feed = self._feeds.get(channel)
        if feed is None:
            return False
        position = position_of(event)
        if position is None:
            return self._receive_notice(channel, feed, event)
        verdict = feed.judge(position)
        if verdict is Verdict.NEXT and self._backlog(channel) < BACKLOG_JOBS:
            feed.advance(position, event)
            return True
        if verdict is not Verdict.KNOWN:
            self._catch_up(channel, feed)
        return False

    def _receive_notice(self, channel: str, feed: RoomFeed, event: bytes) -> bool:
        """Take an event that is not of the log: dropped first under load."""
        if not _is_event(event):
            log.error("What is published on %s is no event; ignored", channel)
            return False
        if event.startswith(NOTICES):
            feed.notice(event)
        if self._backlog(channel) < BACKLOG_JOBS:
            return True
        feed.notices_missed = True
        self._catch_up(channel, feed)
        return False

    def lost(self) -> None:
        """Take note that publications may be missed from now on."""
        self._losses += 1
        for feed in self._feeds.values():
            feed.live = False
            feed.notices_missed = True

    def ready(self) -> None:
        """Catch all rooms up: every channel is subscribed again."""
        for channel, feed in self._feeds.items():
            if channel not in self._opening:
                self._catch_up(channel, feed)

    def _catch_up(self, channel: str, feed: RoomFeed) -> None:
        feed.live = False
        reading = self._catching_up.get(channel)
        # One that has just ended did not see this gap.
        if reading is None or reading.done():
            self._start_reading(channel, feed)

    def _start_reading(
        self,
        channel: str,
        feed: RoomFeed,
        *,
        opening: asyncio.Future[None] | None = None,
    ) -> None:
        work = (
            self._read_up(channel, feed)
            if opening is None
            else self._open(channel, feed, opening)
        )
        task = asyncio.create_task(work, name=f"feed-{channel}")
        self._catching_up[channel] = task

        def done(finished: asyncio.Task[None]) -> None:
            if self._catching_up.get(channel) is finished:
                del self._catching_up[channel]
            if not finished.cancelled() and (error := finished.exception()):
                log.error("Room %s cannot be read", feed.room, exc_info=error)
                self._fail_opening(channel)

        task.add_done_callback(done)

    def _fail_opening(self, channel: str) -> None:
        """Send those away who wait for a room; the next one tries anew."""
        opening = self._opening.pop(channel, None)
        if opening is not None and not opening.done():
            opening.set_exception(UnavailableError("The room cannot be read."))
            # Nobody may be waiting any more.
            opening.exception()

    async def _open(
        self, channel: str, feed: RoomFeed, opening: asyncio.Future[None]
    ) -> None:
        while True:
            try:
                await self._subscriber.subscribe(channel)
                feed.restart(await self._log.top(feed.room))
            except ChatError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            break
        # What was published between the confirmation and the answer is in the log.
        await self._read_up(channel, feed)
        self._opening.pop(channel, None)
        if not opening.done():
            opening.set_result(None)

    async def _read_up(self, channel: str, feed: RoomFeed) -> None:
        """Deliver from the log until nothing that was published is missing."""
        # Read only while the feed is not live: what arrives meanwhile would be
        # delivered as it arrives, and once more from the page.
        while not feed.live or feed.notices_missed:
            if feed.live:
                await self._announce(channel, feed)
                continue
            if not self._may_read(channel):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                async with self._turn(channel):
                    # The wait for it may have been long.
                    if self._may_read(channel):
                        feed.live = await self._read_page(channel, feed)
            except ChatError:
                await asyncio.sleep(RETRY_SECONDS)

    def _may_read(self, channel: str) -> bool:
        return self._subscriber.ready and self._backlog(channel) <= BACKLOG_JOBS // 2

    def _turn(self, channel: str) -> AbstractAsyncContextManager[None]:
        """Return what holds the rooms back that nobody waits to enter."""
        return nullcontext() if channel in self._opening else self._slots

    async def _read_page(self, channel: str, feed: RoomFeed) -> bool:
        """Deliver a page of the log; true if nothing published is missing then."""
        losses = self._losses
        # Stored and published are one step: what was seen before this request is in
        # the log that it reads. Only what is seen meanwhile may be ahead.
        feed.highest_seen = 0
        page = await self._log.read(feed.room, feed.position, limit=CATCH_UP_EVENTS)
        cut_off = not page.events and page.top.offset > feed.position.offset
        if not page.proved or cut_off:
            log.warning("The log of room %s lost what was delivered", feed.room)
            feed.restart(page.top)
            self._deliver(channel, [orjson.dumps(["reload", {"room": feed.room}])])
            return False
        for event in page.events:
            feed.advance(*as_log_event(event))
        if page.events:
            self._deliver(channel, page.events)
        up_to_date = feed.position.offset >= max(page.top.offset, feed.highest_seen)
        return up_to_date and losses == self._losses

    async def _announce(self, channel: str, feed: RoomFeed) -> None:
        """After a gap, say how the room stands: missed notices are not repeated."""
        feed.notices_missed = False
        if self.after_gap is None or channel in self._opening:
            return
        try:
            async with self._slots:
                await self.after_gap(channel)
        except ChatError:
            feed.notices_missed = True
            await asyncio.sleep(RETRY_SECONDS)


def _is_event(payload: bytes) -> bool:
    """Tell whether a publication is an event array; anything may be published."""
    try:
        found = json_codec.loads(payload)
    except ValueError:
        return False
    return isinstance(found, list) and bool(found) and isinstance(found[0], str)
