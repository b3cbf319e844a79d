"""What clients wrote down and what the server holds at the end: all that is compared.

Times are seconds of the machine's monotonic clock, which all programs on it share.
Python and JavaScript clients write the same lines: ``{"kind": "shown", ...}``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args

import orjson


class Outcome(StrEnum):
    """How one attempt to send ended."""

    ACKED = "acked"
    REFUSED = "refused"
    """The server said that nothing was stored, for good or for now."""
    UNKNOWN = "unknown"
    """No answer, or one that says so: it may have been stored."""


@dataclass(frozen=True, slots=True)
class Up:
    """A connection was made; ``node`` is the address it went to."""

    at: float
    node: str


@dataclass(frozen=True, slots=True)
class Down:
    """The connection ended."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Sent:
    """An attempt at an operation began; ``args`` are its payload's, but for a message.

    ``client_id`` names the operation, whether the server is told of it or not.
    """

    at: float
    room: str
    client_id: str
    name: str = "send"
    args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt ended. The numbers are the ack's, 0 without one; ``ack`` has all."""

    at: float
    room: str
    client_id: str
    outcome: Outcome
    code: str = ""
    message: int = 0
    offset: int = 0
    uid: str = ""
    duplicate: bool = False
    durability: str = ""
    ack: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """An event of the room's log reached the user; see :func:`event_members`.

    ``asked_at`` is when the join began whose ack brought it; 0: live, or not known.
    """

    at: float
    room: str
    offset: int
    uid: str
    message: int
    user: str
    client_id: str
    name: str = "message"
    words: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    asked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Began:
    """The view of a room begins (anew): the newest page follows, then live events.

    ``offset`` is the cursor that came with it. ``refused_cursor`` is what the client
    had asked to resume from, None when it asked for nothing; ``reload`` tells that
    the server asked for it.
    """

    at: float
    room: str
    offset: int
    refused_cursor: str | None = None
    reload: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A join that began at ``asked_at`` succeeded; ``offset`` is its ack's cursor."""

    at: float
    room: str
    asked_at: float
    offset: int


@dataclass(frozen=True, slots=True)
class Page:
    """A page of ``history``, with :func:`event_members` of each message."""

    at: float
    room: str
    asked_at: float
    messages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Read:
    """A user's read mark was told.

    ``own`` marks are acks of ``mark_read``; the others come with the room, by its
    events and its join. The two ways overtake each other.
    """

    at: float
    room: str
    user: str
    message: int
    own: bool = False


Record = Up | Down | Sent | Answered | Shown | Began | Joined | Page | Read

T = TypeVar("T", bound=Record)

# What the state of a message has besides its words.
STATE = frozenset({"at", "rev", "edits", "reactions", "deleted"})

# Written down in place of a text's name when it is not what was sent.
GARBLED = "garbled"

# In a text, for the clientId that its sender's client had still to choose.
UNNAMED = "*"

# From when to when, on the clock of the histories.
Span = tuple[float, float]

_KINDS: dict[str, type[Record]] = {
    each.__name__.lower(): each for each in get_args(Record)
}


@dataclass(slots=True)
class History:
    """Everything one client wrote down, in its order."""

    client: str
    user: str
    records: list[Record] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a room's log that the application took; ``message`` of a new one."""

    room: str
    offset: int
    uid: str
    message: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event of a room's log; see :func:`event_members`."""

    offset: int
    uid: str
    message: int
    user: str
    client_id: str
    name: str = "message"
    words: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The message that it is, or is about; 0 for none."""
        return self.message or int(self.more.get("message", 0))


@dataclass(frozen=True, slots=True)
class FinalLog:
    """A room at the end: the truth that histories are compared with.

    Attributes:
        room: Room id.
        entries: All events in order, or only the messages (see ``messages_only``).
        messages_only: Whether it was read through ``history``, where edits and other
            events do not show.
        first_kept: Number of the oldest message that is kept.
        reads: Each user's read mark, as far as it is known.
        pins: Numbers of the pinned messages; None: not known.
        title: The room's name; None: not known.
    """

    room: str
    entries: list[LogEntry]
    messages_only: bool = False
    first_kept: int = 1
    reads: dict[str, int] = field(default_factory=dict)
    pins: list[int] | None = None
    title: str | None = None

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


def event_of(shown: Shown) -> LogEntry:
    """Return the event that was shown."""
    members = (getattr(shown, each.name) for each in fields(LogEntry))
    return LogEntry(*members)


def place_of(each: Shown | LogEntry) -> tuple[int, str, int, str]:
    """Return what of an event stays the same, whatever becomes of its words."""
    return each.offset, each.uid, each.message, each.user


def text_of(name: str, length: int) -> str:
    """Return a text that tells whose it is, and whether it arrived as it was sent."""
    return f"{name}/{'x' * length}/{length}"


def words_of(payload: Mapping[str, Any]) -> str:
    """Return the name that a payload's text was made with, if it has a text."""
    if "text" not in payload:
        return ""
    name, filling, length = (*str(payload["text"]).split("/"), "", "")[:3]
    return name if str(len(filling)) == length else GARBLED


def event_members(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written down of an event of the log, or of a message's state.

    ``words`` stand for its text. ``message``, ``user`` and ``client_id`` are those of
    messages; ``more`` is a message's state (see protocol.md), else all the rest.
    """
    is_message = name == "message"
    left_out = {"offset", "uid", "room", "text"}
    return {
        "offset": payload["offset"],
        "uid": payload["uid"],
        "message": payload["message"] if is_message else 0,
        "user": payload["user"] if is_message else "",
        "client_id": payload.get("clientId", "") if is_message else "",
        "name": name,
        "words": words_of(payload),
        "more": {
            member: value
            for member, value in payload.items()
            if (member in STATE if is_message else member not in left_out)
        },
    }


def to_line(record: Record) -> bytes:
    """Return a record as a line of JSON, with its line feed."""
    return (
        orjson.dumps({"kind": type(record).__name__.lower(), **asdict(record)}) + b"\n"
    )


def from_line(line: bytes) -> Record:
    """Read what :func:`to_line` or another recorder wrote.

    Raises:
        ValueError: It is no record.
    """
    members: dict[str, Any] = orjson.loads(line)
    kind = members.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"no kind of record: {kind!r}")
    if "outcome" in members:
        members["outcome"] = Outcome(members["outcome"])
    try:
        return _KINDS[kind](**members)
    except TypeError as error:
        raise ValueError(f"not a record of kind {kind}: {error}") from None


def of_kind(records: Iterable[Record], kind: type[T]) -> list[T]:
    """Return the records of one kind, in order."""
    return [each for each in records if isinstance(each, kind)]


def keep(folder: Path, histories: Sequence[History], logs: Sequence[FinalLog]) -> None:
    """Write ``<client>.jsonl`` for each history and ``<room>.log.jsonl`` for each log.

    Args:
        folder: Made when there is none; files of an earlier run are written over.
        histories: Of all clients.
        logs: Of all rooms.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for history in histories:
        lines = b"".join(map(to_line, history.records))
        (folder / f"{history.client}.jsonl").write_bytes(lines)
    for log in logs:
        lines = b"".join(orjson.dumps(asdict(each)) + b"\n" for each in log.entries)
        (folder / f"{log.room}.log.jsonl").write_bytes(lines)
