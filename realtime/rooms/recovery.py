"""Recovery: exactly the events that a session missed, or the newest page."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from realtime.errors import UnavailableError
from realtime.rooms.allowance import Allowance
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.feeds import RoomFeeds
from realtime.store import events
from realtime.store.message_log import FeedLog
from realtime.store.position import START, Position, parse_cursor

# Messages of the newest page, for a session that cannot be recovered.
PAGE_MESSAGES = 50

# Events read from the log in one round trip of a recovery.
RECOVERY_EVENTS = 500

# Bytes of them: the rooms of a ``sync`` are read together, and each may exceed what is
# left of the answer by as much.
RECOVERY_BYTES = 256 * 1024

# Readings of the log that one session waits for. The first may have been under way
# before what the cursor is of was stored; the second was not.
CATCH_UPS = 3

# Longest wait for others who read the same log. While Redis is away each of them takes
# the deadline of a command; nobody is to wait for a row of these.
TURN_SECONDS = 2.0


class Past(NamedTuple):
    """What a session is told of the time before it entered a room.

    ``events`` reach up to the start of its entry. With ``recovered`` they are all the
    events since its cursor, or with ``more`` only the first of them; else they are the
    newest messages, as they are now.
    """

    recovered: bool
    events: Sequence[bytes]
    more: bool = False


class Asking(NamedTuple):
    """Who asks for the past, and how much of it one answer may have."""

    user: str
    allowance: Allowance


class Recovery:
    """Finds what a session missed.

    Args:
        log: The rooms' logs.
        outcomes: Counts what came of cursors, see :mod:`realtime.traffic`; None:
            nobody wants to know.
    """

    def __init__(self, log: FeedLog, outcomes: Counter[str] | None = None) -> None:
        self._log = log
        self._outcomes = Counter[str]() if outcomes is None else outcomes
        # One session of a room reads its log at a time; there while one does. Before,
        # one of each user: who asks again and again waits behind themselves.
        self._reading: WeakValueDictionary[str | tuple[str, str], asyncio.Lock] = (
            WeakValueDictionary()
        )

    async def reaches(
        self, feeds: RoomFeeds, channel: str, feed: RoomFeed, cursor: str | None
    ) -> bool:
        """Have a feed read up until it is not behind a cursor; false: it still is.

        Args:
            feeds: Hold it.
            channel: The feed's.
            feed: What may be behind, or of a lost past.
            cursor: Where the session is.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        # After a gap, what this node remembers may be of a past that Redis lost.
        # A session may have heard elsewhere what is still under way to this node.
        for _ in range(CATCH_UPS):
            if feed.live and not await self.is_ahead(feed, cursor):
                return True
            await feeds.catch_up(channel)
        return False

    async def is_ahead(self, feed: RoomFeed, cursor: str | None) -> bool:
        """Tell whether a cursor may be of events that this node has not heard of yet.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        position = None if cursor is None else parse_cursor(cursor)
        if position is None or position.offset <= feed.position.offset:
            return False
        top = await self._log.top(feed.room)
        return position.offset <= top.offset

    def past(
        self, feed: RoomFeed, entry: Entry, cursor: str | None, asking: Asking
    ) -> Coroutine[Any, Any, Past]:
        """Return the events up to an entry's start.

        A cursor is honoured if this node's memory or the log proves that it is of
        this room's past. Memory is looked at when this is called, which must be in the
        step that began the entry.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away, or the answer is full.
        """
        position = None if cursor is None else parse_cursor(cursor)
        missed = None
        if position is not None:
            missed = feed.recent.after(position, upto=entry.start.offset)
        return self._past(feed, entry.start, position, missed, asking)

    async def _past(
        self,
        feed: RoomFeed,
        start: Position,
        cursor: Position | None,
        missed: list[bytes] | None,
        asking: Asking,
    ) -> Past:
        if missed is not None:
            self._outcomes["memory"] += 1
            return Past(True, missed)
        if cursor is not None:
            past = await self._missed(feed, cursor, start, asking)
            if past is not None:
                self._outcomes["part" if past.more else "log"] += 1
                return past
            self._outcomes["lost"] += 1
        return Past(False, await self._newest(feed.room, start, asking))

    async def _missed(
        self, feed: RoomFeed, cursor: Position, start: Position, asking: Asking
    ) -> Past | None:
        """Read the events between a cursor and the entry, None if not provable.

        When a node dies hundreds may come back to one room. The first one reads the
        log; the others find in memory what it has read.

        Raises:
            UnavailableError: The log is not, or not any more, what this node has
                delivered: it is about to notice. Or those before take too long.
        """
        if cursor.offset > start.offset:
            return None
        async with self._turn(feed.room, asking.user):
            known = feed.recent.after(cursor, upto=start.offset)
            if known is not None:
                return Past(True, known)
            past = await self._read(feed.room, cursor, start, asking.allowance)
            if past is not None and not past.more:
                feed.recent.remember(cursor, [*past.events])
            return past

    @asynccontextmanager
    async def _turn(self, room: str, user: str) -> AsyncIterator[None]:
        """Wait for one's turn to read a room's log, and hold it."""
        of_user = self._reading.setdefault((room, user), asyncio.Lock())
        of_room = self._reading.setdefault(room, asyncio.Lock())
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await held.enter_async_context(of_user)
                    await held.enter_async_context(of_room)
            except TimeoutError:
                raise UnavailableError("The room's log is not read in time.") from None
            yield

    async def _read(
        self, room: str, cursor: Position, start: Position, allowance: Allowance
    ) -> Past | None:
        found: list[bytes] = []
        left = allowance.may_read()
        while True:
            page = await self._log.read(
                *(room, cursor),
                upto=start.offset,
                limit=RECOVERY_EVENTS,
                limit_bytes=min(left, RECOVERY_BYTES),
            )
            if not page.proved:
                return None
            found += page.events
            size = sum(map(len, page.events))
            allowance.read(size)
            left -= size
            if page.events:
                cursor, _ = events.as_log_event(page.events[-1])
            if cursor == start:
                return Past(True, found)
            if not page.events:
                raise UnavailableError("The room changed meanwhile; join again.")
            if left <= 0:
                return Past(True, found, more=True)

    async def _newest(self, room: str, start: Position, asking: Asking) -> list[bytes]:
        """Return the newest messages up to the entry, as event arrays.

        No more than half an answer: there is a place for those that come meanwhile.
        """
        if start == START:
            return []
        allowance = asking.allowance
        allowance.may_read()
        page = await self._log.history(room=room, user=asking.user, limit=PAGE_MESSAGES)
        told: list[bytes] = []
        size = 0
        for message in reversed(page.messages):
            if events.offset_of_message(message) > start.offset:
                continue
            size += len(message)
            if told and size > allowance.limit // 2:
                break
            told.append(events.message_event(message))
        allowance.read(size)
        return told[::-1]
