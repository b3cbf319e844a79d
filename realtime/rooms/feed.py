"""One active room on this node: where its log is, and what was delivered last.

No I/O here: a feed is told what arrived and decides what it means.
"""

from enum import Enum

from realtime.rooms.replay_buffer import RecentEvents, RecentMemory
from realtime.store.events import deleted_number, without_deleted
from realtime.store.position import START, Position

# Events that may pass while one session's join is being answered. A join that is
# overtaken by more than these is refused as temporary and asked again.
ENTRY_EVENTS = 1000


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


class RoomFeed:
    """The node's position in a room's log, and its most recent events.

    ``live`` is true while publications alone keep the position up; it is false from
    each possible gap until the log has been read.

    Attributes:
        recent: The last events, for sessions that come back.
        room: Room id.
        position: The last event that was delivered to the room's sessions.
        live: Whether arriving events may be delivered.
        highest_seen: Highest offset that arrived since a reader last set it to 0.
        holds: Reasons to keep the channel subscribed.
        notices_missed: Whether events that are not of the log may have been missed.
        losses: How often publications may have been missed.
    """

    __slots__ = (
        "_entries",
        "highest_seen",
        "holds",
        "live",
        "losses",
        "notices_missed",
        "position",
        "recent",
        "room",
    )

    def __init__(self, room: str, memory: RecentMemory | None = None) -> None:
        self.room = room
        self.position = START
        self.live = False
        self.highest_seen = 0
        self.holds = 0
        self.notices_missed = False
        self.losses = 0
        self.recent = RecentEvents(memory or RecentMemory())
        self._entries: set[Entry] = set()

    def held(self) -> tuple[int, int, int]:
        """Return how many recent events it keeps, their bytes, and its entries."""
        return len(self.recent), self.recent.size, len(self._entries)

    def lost(self) -> None:
        """Take note that publications may be missed from now on."""
        self.live = False
        self.notices_missed = True
        self.losses += 1

    def judge(self, position: Position) -> Verdict:
        """Say what an event that arrived by publication means."""
        if position.offset > self.highest_seen:
            self.highest_seen = position.offset
        if not self.live:
            # The log is being read; what is published now will be read there.
            return Verdict.KNOWN
        if position.offset == self.position.offset + 1:
            return Verdict.NEXT
        if position.offset > self.position.offset:
            return Verdict.GAP
        known = self.recent.find(position.offset)
        return Verdict.KNOWN if known == position else Verdict.GAP

    def is_up_to(self, top: Position, asked: Position) -> bool:
        """Tell whether all was delivered up to what was the log's top a moment ago.

        Args:
            top: The top.
            asked: This feed's position when the top was asked for.
        """
        if not self.live or not asked.offset <= top.offset <= self.position.offset:
            return False
        known = asked if top.offset == asked.offset else self.recent.find(top.offset)
        # A busy room's memory may have left it behind since.
        return known is None or known == top

    def advance(self, position: Position, event: bytes) -> None:
        """Take the next event as delivered.

        Of what it deletes no word is kept for those who come.
        """
        self.position = position
        self.recent.append(position, event)
        number = deleted_number(event)
        if number is not None:
            self.recent.erase(number, event)
        for entry in self._entries:
            entry.add(entry.tail, event)
            if number is not None:
                entry.tail[:] = without_deleted(entry.tail)

    def notice(self, event: bytes) -> None:
        """Take an event that is not of the log, for whoever is on the way in."""
        for entry in self._entries:
            entry.add(entry.notices, event)

    def restart(self, position: Position) -> None:
        """Begin anew at a position: what was delivered is not this log's past."""
        self.position = position
        self.recent.restart(position)
        for entry in self._entries:
            entry.broken = True

    def begin_entry(self) -> Entry:
        """Start to collect for a session that will enter after this position."""
        entry = Entry(self.position)
        self._entries.add(entry)
        return entry

    def end_entry(self, entry: Entry) -> None:
        """Stop collecting; the session entered, or gave up."""
        self._entries.discard(entry)
