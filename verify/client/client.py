"""What all clients of a run have in common: a history, and what it amounts to."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from verify.history import Answered, Began, History, Outcome, Record, Shown

# Upper bounds of texts' lengths: mostly short ones, some as long as allowed.
TEXT_LENGTHS = (1, 200, 200, 200, 3000)

# Codes after which a message may be stored: others say that nothing was.
UNSURE = frozenset({"unknown", "internal"})


@dataclass(slots=True)
class Position:
    """Where a client is in a room, by what it wrote down.

    Attributes:
        shown: Offset of the last event that it showed.
        acked: Highest offset of its own messages since its view began.
        last_message: Number of the newest message that it showed.
        own: Numbers of its own messages, as far as they were acknowledged.
        attended: Whether it is in the room now.
        barred: Whether it may not be.
    """

    shown: int = 0
    acked: int = 0
    last_message: int = 0
    own: list[int] = field(default_factory=list)
    attended: bool = False
    barred: bool = False


@dataclass(eq=False)
class Client:
    """One client of one user.

    Attributes:
        name: Unique in the run.
        user: User id.
        auth: Credentials for the connect.
        rooms: Rooms that it attends all the time.
        rng: Source of its decisions.
        history: What it wrote down.
        positions: Where it is, by room.
        unsent: Operations whose outcome is not known yet.
        trouble: The last reason why something did not work.
    """

    name: str
    user: str
    auth: Mapping[str, object]
    rooms: Sequence[str]
    rng: random.Random

    def __post_init__(self) -> None:
        self.history = History(self.name, self.user)
        self.positions = {room: Position() for room in self.rooms}
        self.unsent = 0
        self.trouble = ""

    def write(self, record: Record) -> None:
        """Write a record down, and take from it where the client is now."""
        self.history.records.append(record)
        if isinstance(record, Began):
            # What was acknowledged may have been of a past that is lost.
            position = self.positions[record.room]
            position.shown, position.acked = record.offset, 0
        elif isinstance(record, Shown):
            position = self.positions[record.room]
            position.shown = max(position.shown, record.offset)
            position.last_message = record.message or position.last_message
        elif isinstance(record, Answered) and record.outcome is Outcome.ACKED:
            position = self.positions[record.room]
            position.acked = max(position.acked, record.offset)
            if record.message and not record.duplicate:
                position.own.append(record.message)

    def missing(self, tops: Mapping[str, int]) -> str:
        """Say what is still to come until all rooms are at their tops."""
        trouble = self.trouble or "no trouble"
        if self.unsent:
            return f"{self.unsent} requests unsent ({trouble})"
        for room, position in self.positions.items():
            if not position.attended:
                return f"does not attend {room} ({trouble})"
            if position.shown < tops[room]:
                return f"is at offset {position.shown} of {tops[room]} in {room}"
        return ""

    def ask(
        self, room: str, client_id: str, name: str = "send", **args: object
    ) -> None:
        """Carry an operation out through every outage, under this clientId if it can.

        Args:
            room: Where.
            client_id: Unique in the run.
            name: Of the request.
            args: More of its payload.
        """
        raise NotImplementedError

    async def look(self, room: str) -> None:
        """Read a page of the history, where a client can."""

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read; what becomes of it in an outage does not matter."""
        raise NotImplementedError

    async def reconnect(self) -> None:
        """Cut the connection, as a phone that changes networks does."""
        raise NotImplementedError

    def join_again(self, room: str) -> None:
        """Join a room again over the same connection, where a client can."""

    async def start_over(self) -> None:
        """Begin anew, as a page that is opened again, where a client can."""

    async def run(self) -> None:
        """Connect again and again, and send, until cancelled."""
        raise NotImplementedError
