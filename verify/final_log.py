"""What the server holds at the end: the truth that histories are compared with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of a room's log; ``message`` is 0 for what is no message."""

    offset: int
    uid: str
    message: int
    user: str
    client_id: str


@dataclass(frozen=True, slots=True)
class FinalLog:
    """A room at the end.

    Attributes:
        room: Room id.
        entries: All events in order, or only the messages (see ``messages_only``).
        messages_only: Whether it was read through ``history``, where edits and other
            events do not show.
        first_kept: Number of the oldest message that is kept.
        reads: Each user's read mark, as far as it is known.
    """

    room: str
    entries: list[LogEntry]
    messages_only: bool = False
    first_kept: int = 1
    reads: dict[str, int] = field(default_factory=dict)

    @property
    def messages(self) -> list[LogEntry]:
        """The messages alone."""
        return [entry for entry in self.entries if entry.message]


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, as shortly as it can be said.

    Attributes:
        rule: The promise; one of ``verify.checker.RULES``.
        room: Room id.
        text: What happened, with numbers and names to look for in the histories.
    """

    rule: str
    room: str
    text: str
