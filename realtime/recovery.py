"""Recovery: exactly the events that a session missed, or the newest page."""

from collections.abc import Sequence
from typing import NamedTuple

from realtime.cursor import START, Position, offset_of_message, parse_cursor
from realtime.errors import UnavailableError
from realtime.message_log import MessageLog
from realtime.room_feed import Entry, RoomFeed, as_log_event

PAGE_MESSAGES = 50
"""Messages of the newest page, for a session that cannot be recovered."""

RECOVERY_EVENTS = 500
"""Events read from the log in one round trip of a recovery."""


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

    async def past(self, feed: RoomFeed, entry: Entry, cursor: str | None) -> Past:
        """Return the events up to an entry's start.

        A cursor is honoured if this node's memory or the log proves that it is of
        this room's past; there is no partial recovery.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        position = None if cursor is None else parse_cursor(cursor)
        if position is not None:
            # The entry began in this very step, or the log is asked.
            recent = None
            if entry.start == feed.position:
                recent = feed.recent_after(position)
            missed = recent
            if missed is None:
                missed = await self._missed(feed.room, position, entry.start)
            if missed is not None:
                return Past(True, missed)
        return Past(False, await self._newest(feed.room, entry.start))

    async def _missed(
        self, room: str, cursor: Position, start: Position
    ) -> list[bytes] | None:
        """Read the events between a cursor and the entry, None if not provable.

        Raises:
            UnavailableError: The log is not, or not any more, what this node has
                delivered: it is about to notice.
        """
        if cursor.offset > start.offset:
            return None
        events: list[bytes] = []
        while True:
            page = await self._log.read(
                room, cursor, upto=start.offset, limit=RECOVERY_EVENTS
            )
            if not page.proved:
                return None
            events += page.events
            if page.events:
                cursor, _ = as_log_event(page.events[-1])
            if cursor == start:
                return events
            if len(page.events) < RECOVERY_EVENTS:
                raise UnavailableError("The room changed meanwhile; join again.")

    async def _newest(self, room: str, start: Position) -> list[bytes]:
        """Return the newest messages up to the entry, as event arrays."""
        if start == START:
            return []
        page = await self._log.history(room=room, limit=PAGE_MESSAGES)
        return [
            b'["message",' + message + b"]"
            for message in page.messages
            if offset_of_message(message) <= start.offset
        ]
