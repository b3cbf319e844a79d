"""One active room on this node: where its log is, and what was delivered last.

No I/O here: a feed is told what arrived and decides what it means.
"""

from collections import Counter, deque
from enum import Enum

from realtime.cursor import START, Position, position_of
from realtime.limits import new_counts

RECENT_EVENTS = 256
"""Events kept in memory for sessions that come back: minutes of a busy room."""

RECENT_BYTES = 64 * 1024
"""Bytes of events kept in memory, a room; the older ones go first."""

RECENT_NODE_BYTES = 256 * 1024 * 1024
"""Bytes of events kept in memory, all rooms of a node: 4,096 busy rooms at their limit.
What is not kept is read from Redis when somebody comes back."""

ENTRY_EVENTS = 1000
"""Events that may pass while one session's join is being answered. A join that is
overtaken by more than these is refused as temporary and asked again."""


NOTICES = (b'["presence",', b'["read",')
"""What the events begin with that change how a room stands, and are not of its log."""


class Verdict(Enum):
    """What an arriving event of the log means."""

    NEXT = "deliver it"
    KNOWN = "drop it: it was delivered before"
    GAP = "read the log: something is missing, or this is another history"


class Entry:
    """Somebody on the way into the room, and what passes meanwhile.

    Attributes:
        start: The room's position when it began.
        tail: Events of the log since then.
        notices: Events that are not of the log, since then.
        broken: Whether it must not be finished: begin again.
    """

    __slots__ = ("broken", "notices", "start", "tail")

    def __init__(self, start: Position) -> None:
        self.start = start
        self.tail: list[bytes] = []
        self.notices: list[bytes] = []
        self.broken = False

    def add(self, to: list[bytes], event: bytes) -> None:
        """Collect an event; too many of them break the entry."""
        if len(to) < ENTRY_EVENTS:
            to.append(event)
        else:
            self.broken = True


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

    def take(self, size: int) -> None:
        """Add the bytes of an event."""
        self.used_bytes += size
        if self.is_over:
            self.limited["node_recent_bytes"] += 1

    def has_room(self, size: int) -> bool:
        """Tell whether so many bytes more are not too many."""
        return self.used_bytes + size <= self.limit_bytes

    @property
    def is_over(self) -> bool:
        """Whether it is more than it may be."""
        return self.used_bytes > self.limit_bytes


class RoomFeed:
    """The node's position in a room's log, and its most recent events.

    ``live`` is true while publications alone keep the position up; it is false from
    each possible gap until the log has been read.

    Attributes:
        room: Room id.
        position: The last event that was delivered to the room's sessions.
        live: Whether arriving events may be delivered.
        highest_seen: Highest offset that arrived since a reader last set it to 0.
        holds: Reasons to keep the channel subscribed.
        notices_missed: Whether events that are not of the log may have been missed.
    """

    __slots__ = (
        "_entries",
        "_memory",
        "_recent",
        "_recent_bytes",
        "_since",
        "highest_seen",
        "holds",
        "live",
        "notices_missed",
        "position",
        "room",
    )

    def __init__(self, room: str, memory: RecentMemory | None = None) -> None:
        self.room = room
        self._memory = memory or RecentMemory()
        self.position = START
        self.live = False
        self.highest_seen = 0
        self.holds = 0
        self.notices_missed = False
        self._since = START
        self._recent: deque[tuple[Position, bytes]] = deque()
        self._recent_bytes = 0
        self._entries: set[Entry] = set()

    def held(self) -> tuple[int, int, int]:
        """Return how many recent events it keeps, their bytes, and its entries."""
        return len(self._recent), self._recent_bytes, len(self._entries)

    def judge(self, position: Position) -> Verdict:
        """Say what an event that arrived by publication means."""
        self.highest_seen = max(self.highest_seen, position.offset)
        if not self.live:
            # The log is being read; what is published now will be read there.
            return Verdict.KNOWN
        if position.offset == self.position.offset + 1:
            return Verdict.NEXT
        if position.offset > self.position.offset:
            return Verdict.GAP
        known = self._find(position.offset)
        return Verdict.KNOWN if known == position else Verdict.GAP

    def is_up_to(self, top: Position, asked: Position) -> bool:
        """Tell whether all was delivered up to what was the log's top a moment ago.

        Args:
            top: The top.
            asked: This feed's position when the top was asked for.
        """
        if not self.live or not asked.offset <= top.offset <= self.position.offset:
            return False
        known = asked if top.offset == asked.offset else self._find(top.offset)
        # A busy room's memory may have left it behind since.
        return known is None or known == top

    def advance(self, position: Position, event: bytes) -> None:
        """Take the next event as delivered."""
        self.position = position
        self._recent.append((position, event))
        self._recent_bytes += len(event)
        self._memory.take(len(event))
        while len(self._recent) > RECENT_EVENTS or (
            (self._recent_bytes > RECENT_BYTES or self._memory.is_over)
            and len(self._recent) > 1
        ):
            self._since, oldest = self._recent.popleft()
            self._recent_bytes -= len(oldest)
            self._memory.used_bytes -= len(oldest)
        for entry in self._entries:
            entry.add(entry.tail, event)

    def notice(self, event: bytes) -> None:
        """Take an event that is not of the log, for whoever is on the way in."""
        for entry in self._entries:
            entry.add(entry.notices, event)

    def restart(self, position: Position) -> None:
        """Begin anew at a position: what was delivered is not this log's past."""
        self.position = position
        self._since = position
        self.forget_recent()
        for entry in self._entries:
            entry.broken = True

    def forget_recent(self) -> None:
        """Give the memory of recent events back."""
        self._memory.used_bytes -= self._recent_bytes
        self._since = self.position
        self._recent.clear()
        self._recent_bytes = 0

    def recent_after(
        self, cursor: Position, *, upto: int | None = None
    ) -> list[bytes] | None:
        """Return the events after a cursor, None if memory cannot prove them.

        Args:
            cursor: The last event that is known.
            upto: Offset of the last event wanted, not beyond the position; None: all.
        """
        if upto is None:
            upto = self.position.offset
        if cursor.offset > upto:
            return None
        if cursor == self.position:
            return []
        # Offsets are contiguous, so the cursor's place is known.
        first = self._since.offset + 1
        index = cursor.offset - first
        if cursor != self._since and (
            not 0 <= index < len(self._recent) or self._recent[index][0] != cursor
        ):
            return None
        return [self._recent[i][1] for i in range(index + 1, upto + 1 - first)]

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
        positioned = [as_log_event(event) for event in events[:older]]
        if positioned[-1][0] != self._since:
            return
        while positioned:
            _, event = positioned[-1]
            size = self._recent_bytes + len(event)
            if len(self._recent) >= RECENT_EVENTS or size > RECENT_BYTES:
                return
            if not self._memory.has_room(len(event)):
                return
            self._memory.take(len(event))
            self._recent.appendleft(positioned.pop())
            self._recent_bytes = size
            self._since = positioned[-1][0] if positioned else since

    def begin_entry(self) -> Entry:
        """Start to collect for a session that will enter after this position."""
        entry = Entry(self.position)
        self._entries.add(entry)
        return entry

    def end_entry(self, entry: Entry) -> None:
        """Stop collecting; the session entered, or gave up."""
        self._entries.discard(entry)

    def _find(self, offset: int) -> Position | None:
        if offset == self.position.offset:
            return self.position
        if not self._recent:
            return None
        index = offset - self._recent[0][0].offset
        if not 0 <= index < len(self._recent):
            return None
        return self._recent[index][0]


def as_log_event(event: bytes) -> tuple[Position, bytes]:
    """Return an event read from the log with its position.

    Raises:
        ValueError: The entry is not an event of a log: the key was written by
            something else.
    """
    position = position_of(event)
    if position is None:
        raise ValueError("the room's log holds an entry that is no event")
    return position, event
