"""Recovery: exactly the events that a session missed, or the newest page."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from realtime.errors import UnavailableError
from realtime.rooms.feed import Entry, RoomFeed
from realtime.store import events
from realtime.store.message_log import MessageLog
from realtime.store.position import START, Position, parse_cursor

# Messages of the newest page, for a session that cannot be recovered.
PAGE_MESSAGES = 50

# Events read from the log in one round trip of a recovery.
RECOVERY_EVENTS = 500

# Longest wait for others who read the same log. While Redis is away each of them takes
# the deadline of a command; nobody is to wait for a row of these.
TURN_SECONDS = 2.0


class Past(NamedTuple):
    """What a session is told of the time before it entered a room.

    ``events`` reach up to the start of its entry. With ``recovered`` they are all the
    events since its cursor; else they are the newest messages, as they are now.
    """

    recovered: bool
    events: Sequence[bytes]


class Recovery:
    """Finds what a session missed.

    Args:
        log: The rooms' logs.
    """

    def __init__(self, log: MessageLog) -> None:
        self._log = log
        # One session of a room reads its log at a time; there while one does.
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

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
        self, feed: RoomFeed, entry: Entry, cursor: str | None
    ) -> Coroutine[Any, Any, Past]:
        """Return the events up to an entry's start.

        A cursor is honoured if this node's memory or the log proves that it is of
        this room's past; there is no partial recovery. Memory is looked at when this
        is called, which must be in the step that began the entry.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        position = None if cursor is None else parse_cursor(cursor)
        missed = None
        if position is not None:
            missed = feed.recent.after(position, upto=entry.start.offset)
        return self._past(feed, entry.start, position, missed)

    async def _past(
        self,
        feed: RoomFeed,
        start: Position,
        cursor: Position | None,
        missed: list[bytes] | None,
    ) -> Past:
        if cursor is not None and missed is None:
            missed = await self._missed(feed, cursor, start)
        if missed is not None:
            return Past(True, missed)
        return Past(False, await self._newest(feed.room, start))

    async def _missed(
        self, feed: RoomFeed, cursor: Position, start: Position
    ) -> list[bytes] | None:
        """Read the events between a cursor and the entry, None if not provable.

        When a node dies hundreds may come back to one room. The first one reads the
        log; the others find in memory what it has read.

        Raises:
            UnavailableError: The log is not, or not any more, what this node has
                delivered: it is about to notice. Or those before take too long.
        """
        if cursor.offset > start.offset:
            return None
        lock = self._reading.setdefault(feed.room, asyncio.Lock())
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await lock.acquire()
        except TimeoutError:
            raise UnavailableError("The room's log is not read in time.") from None
        try:
            known = feed.recent.after(cursor, upto=start.offset)
            if known is not None:
                return known
            found = await self._read(feed.room, cursor, start)
            if found is not None:
                feed.recent.remember(cursor, found)
            return found
        finally:
            lock.release()

    async def _read(
        self, room: str, cursor: Position, start: Position
    ) -> list[bytes] | None:
        found: list[bytes] = []
        while True:
            page = await self._log.read(
                room, cursor, upto=start.offset, limit=RECOVERY_EVENTS
            )
            if not page.proved:
                return None
            found += page.events
            if page.events:
                cursor, _ = events.as_log_event(page.events[-1])
            if cursor == start:
                return found
            if len(page.events) < RECOVERY_EVENTS:
                raise UnavailableError("The room changed meanwhile; join again.")

    async def _newest(self, room: str, start: Position) -> list[bytes]:
        """Return the newest messages up to the entry, as event arrays."""
        if start == START:
            return []
        page = await self._log.history(room=room, limit=PAGE_MESSAGES)
        return [
            events.message_event(message)
            for message in page.messages
            if events.offset_of_message(message) <= start.offset
        ]
