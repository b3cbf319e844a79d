"""Reads the logs of rooms that were just opened, or may have missed publications."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol

from realtime.errors import ChatError, UnavailableError
from realtime.redis.pubsub import Subscriber
from realtime.rooms.feed import RoomFeed
from realtime.store import events
from realtime.store.message_log import FeedLog

_logger = logging.getLogger(__name__)

# Rooms whose logs are read at the same time: after a gap of a node with thousands of
# rooms, people's own requests do not wait behind all of them.
CATCH_UP_ROOMS = 100

# Events read from the log in one go: 2 MB at the largest texts.
CATCH_UP_EVENTS = 500

# Pause after a failed read: Redis is away, and the client reconnects by itself.
RETRY_SECONDS = 0.2

# How full a room's fan-out may be for its log to be read; 1 is its bound. Beyond that
# nothing more is taken from Pub/Sub.
READ_BACKLOG = 0.5


class Sink(Protocol):
    """Where a room's events go."""

    def deliver(self, channel: str, events: list[bytes]) -> None:
        """Hand encoded event arrays to the room's sessions, without suspending."""
        ...

    def backlog(self, channel: str) -> float:
        """Return how full the room's fan-out is: 1 is the bound."""
        ...

    async def after_gap(self, channel: str) -> None:
        """Make up for what is not in the log and may have been missed.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        ...


class CatchUp:
    """Brings feeds up to their logs, one task a room.

    Args:
        log: The rooms' logs.
        subscriber: The Pub/Sub connection.
        reload: Returns what sessions are told where a log lost its past.
    """

    def __init__(
        self,
        log: FeedLog,
        subscriber: Subscriber,
        *,
        reload: Callable[[str], bytes] = events.reload,
    ) -> None:
        self._log = log
        self._reload = reload
        self._subscriber = subscriber
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._opening: dict[str, asyncio.Future[None]] = {}
        self._slots = asyncio.Semaphore(CATCH_UP_ROOMS)
        self._sink: Sink | None = None

    async def run(self, sink: Sink) -> None:
        """Hand what is read to a sink; cancelled, end all readings."""
        self._sink = sink
        try:
            await asyncio.Event().wait()
        finally:
            tasks = [*self._reading.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._reading.clear()

    def held(self) -> dict[str, int]:
        """Return what is kept of rooms that are read, counted by kind."""
        return {
            "feeds_opening": len(self._opening),
            "feeds_catching_up": len(self._reading),
        }

    def begin_opening(self, channel: str, feed: RoomFeed) -> None:
        """Subscribe a room and read its log; :meth:`opened` waits for it."""
        ready = asyncio.get_running_loop().create_future()
        self._opening[channel] = ready
        self._start(channel, feed, self._open(channel, feed, ready))

    def opened(self, channel: str) -> asyncio.Future[None] | None:
        """Return what is done once a room is open; None if it is.

        Raises:
            UnavailableError: by the future: the room cannot be read.
        """
        return self._opening.get(channel)

    def begin(self, channel: str, feed: RoomFeed) -> None:
        """Have a room's log read up to its top, soon."""
        feed.live = False
        reading = self._reading.get(channel)
        # One that has just ended did not see this gap.
        if reading is None or reading.done():
            self._start(channel, feed, self._read_up(channel, feed))

    async def wait(self, channel: str) -> None:
        """Return when no reading of a room is under way."""
        if reading := self._reading.get(channel):
            await asyncio.wait([reading])

    def forget(self, channel: str) -> None:
        """Stop reading for a room that is active no more."""
        if reading := self._reading.pop(channel, None):
            reading.cancel()
        if opening := self._opening.pop(channel, None):
            opening.cancel()

    def _backlog(self, channel: str) -> float:
        return 0 if self._sink is None else self._sink.backlog(channel)

    def _start(
        self, channel: str, feed: RoomFeed, work: Coroutine[Any, Any, None]
    ) -> None:
        task = asyncio.create_task(work, name=f"feed-{channel}")
        self._reading[channel] = task

        def done(finished: asyncio.Task[None]) -> None:
            if self._reading.get(channel) is finished:
                del self._reading[channel]
            if not finished.cancelled() and (error := finished.exception()):
                _logger.error("Room %s cannot be read", feed.room, exc_info=error)
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
                await self._make_up(channel, feed)
                continue
            if not self._may_read(channel):
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                async with self._slot(channel):
                    # The wait for it may have been long.
                    if self._may_read(channel):
                        feed.live = await self._read_page(channel, feed)
            except ChatError:
                await asyncio.sleep(RETRY_SECONDS)

    def _may_read(self, channel: str) -> bool:
        is_heard = self._subscriber.is_heard(channel)
        return is_heard and self._backlog(channel) <= READ_BACKLOG

    def _slot(self, channel: str) -> AbstractAsyncContextManager[None]:
        """Return what holds the rooms back that nobody waits to enter."""
        return nullcontext() if channel in self._opening else self._slots

    async def _read_page(self, channel: str, feed: RoomFeed) -> bool:
        """Deliver a page of the log; true if nothing published is missing then."""
        losses = feed.losses
        # Stored and published are one step: what was seen before this request is in
        # the log that it reads. Only what is seen meanwhile may be ahead.
        feed.highest_seen = 0
        page = await self._log.read(feed.room, feed.position, limit=CATCH_UP_EVENTS)
        cut_off = not page.events and page.top.offset > feed.position.offset
        if not page.proved or cut_off:
            _logger.warning("The log of room %s lost what was delivered", feed.room)
            feed.restart(page.top)
            self._deliver(channel, [self._reload(feed.room)])
            return False
        for event in page.events:
            feed.advance(*events.as_log_event(event))
        if page.events:
            self._deliver(channel, page.events)
        up_to_date = feed.position.offset >= max(page.top.offset, feed.highest_seen)
        return up_to_date and losses == feed.losses

    def _deliver(self, channel: str, events: list[bytes]) -> None:
        if self._sink is not None:
            self._sink.deliver(channel, events)

    async def _make_up(self, channel: str, feed: RoomFeed) -> None:
        """After a gap, say how the room stands: missed notices are not repeated."""
        feed.notices_missed = False
        if self._sink is None or channel in self._opening:
            return
        try:
            async with self._slots:
                await self._sink.after_gap(channel)
        except ChatError:
            feed.notices_missed = True
            await asyncio.sleep(RETRY_SECONDS)
