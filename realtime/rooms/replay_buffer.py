"""Recent events: what a node remembers of its rooms for sessions that come back.

A reconnect storm is served from here, without Redis. No I/O.
"""

from collections import Counter, deque

from realtime.limits import new_counts
from realtime.store.events import as_log_event, erased, without_deleted, worded_number
from realtime.store.position import START, Position

# Events kept in memory for sessions that come back: minutes of a busy room.
RECENT_EVENTS = 256

# Bytes of events kept in memory, a room; the older ones go first.
RECENT_BYTES = 64 * 1024

# Bytes of events kept in memory, all rooms of a node: 4,096 busy rooms at their limit.
# What is not kept is read from Redis when somebody comes back.
RECENT_NODE_BYTES = 256 * 1024 * 1024


class RecentMemory:
    """What the recent events of all rooms together take, and may take.

    Attributes:
        limit_bytes: Above it a room whose next event comes gives up its older ones.
        used_bytes: What they take now.
        limited: Counts how often that happened.
    """

    __slots__ = ("limit_bytes", "limited", "used_bytes")

    def __init__(
        self,
        limit_bytes: int = RECENT_NODE_BYTES,
        limited: Counter[str] | None = None,
    ) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self.limited = new_counts() if limited is None else limited

    def take(self, size: int) -> bool:
        """Add the bytes of an event; return whether it is more now than it may be."""
        self.used_bytes += size
        if self.used_bytes <= self.limit_bytes:
            return False
        self.limited["node_recent_bytes"] += 1
        return True

    def give_back(self, size: int) -> None:
        """Take away the bytes of what is forgotten."""
        self.used_bytes -= size

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes more are not too many."""
        return self.used_bytes + size <= self.limit_bytes

    @property
    def is_over(self) -> bool:
        """Whether it is more than it may be."""
        return self.used_bytes > self.limit_bytes


class RecentEvents:
    """The last events of one room, without a gap up to the newest.

    Args:
        memory: Shared by all rooms of a node.

    Attributes:
        size: Bytes of the events.
    """

    __slots__ = ("_events", "_memory", "_since", "size")

    def __init__(self, memory: RecentMemory) -> None:
        self._memory = memory
        # The event before the first that is kept.
        self._since = START
        self._events: deque[tuple[Position, bytes]] = deque()
        self.size = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def newest(self) -> Position:
        """The last event, whether it is kept or not."""
        return self._events[-1][0] if self._events else self._since

    def append(self, position: Position, event: bytes) -> None:
        """Keep the next event; the oldest ones make room."""
        self._events.append((position, event))
        size = len(event)
        self.size += size
        is_over = self._memory.take(size)
        while len(self._events) > RECENT_EVENTS or (
            (self.size > RECENT_BYTES or (is_over and self._memory.is_over))
            and len(self._events) > 1
        ):
            self._since, oldest = self._events.popleft()
            self.size -= len(oldest)
            self._memory.give_back(len(oldest))

    def erase(self, number: int, deletion: bytes) -> None:
        """Keep no word of a message that was deleted, by the event that says so."""
        for index, (position, event) in enumerate(self._events):
            if worded_number(event) == number:
                left = erased(event, deletion)
                self._events[index] = (position, left)
                self.size += len(left) - len(event)
                self._memory.give_back(len(event) - len(left))

    def restart(self, position: Position) -> None:
        """Forget all; the next event is the one after a position."""
        self._memory.give_back(self.size)
        self._since = position
        self._events.clear()
        self.size = 0

    def forget(self) -> None:
        """Give the memory back."""
        self.restart(self.newest)

    def find(self, offset: int) -> Position | None:
        """Return the position at an offset, None if it is not known."""
        if offset == self._since.offset:
            return self._since
        index = offset - self._since.offset - 1
        return self._events[index][0] if 0 <= index < len(self._events) else None

    def after(self, cursor: Position, *, upto: int | None = None) -> list[bytes] | None:
        """Return the events after a cursor, None if memory cannot prove them.

        Args:
            cursor: The last event that is known.
            upto: Offset of the last event wanted; None: all. One beyond the newest is
                of a past that was lost.
        """
        newest = self.newest.offset
        if upto is None:
            upto = newest
        if not cursor.offset <= upto <= newest or self.find(cursor.offset) != cursor:
            return None
        # Offsets are contiguous, so the cursor's place is known.
        first = self._since.offset + 1
        wanted = range(cursor.offset + 1 - first, upto + 1 - first)
        return [self._events[index][1] for index in wanted]

    def remember(self, since: Position, events: list[bytes]) -> None:
        """Keep what was read from the log for one session for those who come next.

        Args:
            since: The event before the first one.
            events: Contiguous events of this log; those that reach up to what is in
                memory are kept, as far as there is room.
        """
        older = self._since.offset - since.offset
        if not 0 < older <= len(events):
            return
        # What was read may have been deleted meanwhile; later events tell.
        told = without_deleted(events[:older], (event for _, event in self._events))
        positioned = [as_log_event(event) for event in told]
        if positioned[-1][0] != self._since:
            return
        while positioned:
            _, event = positioned[-1]
            size = self.size + len(event)
            if len(self._events) >= RECENT_EVENTS or size > RECENT_BYTES:
                return
            if not self._memory.has_room(len(event)):
                return
            self._memory.take(len(event))
            self._events.appendleft(positioned.pop())
            self.size = size
            self._since = positioned[-1][0] if positioned else since
