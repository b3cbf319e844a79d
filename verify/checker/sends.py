"""Checks of what was asked for: done once, in the place that was acknowledged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from verify.history import (
    UNNAMED,
    Answered,
    FinalLog,
    History,
    LogEntry,
    Outcome,
    Sent,
    Span,
    Violation,
)

# Events that have the name of their operation: in which member, and in which one the
# user. That of an edit is made of its words.
NAMED = {
    "message_edited": ("", "user"),
    "message_deleted": ("reason", "by"),
    "member_left": ("said", "by"),
    "room_changed": ("name", "by"),
}

# Requests that are carried out once, however often they are asked for.
ONCE = frozenset({"send", "edit", "delete"})

# Requests of an operation without a name in the log: :mod:`.states` looks at these.
UNNAMED_REQUESTS = frozenset({"react", "pin", "members_add", "member_set", "unban"})


@dataclass(slots=True)
class _Operation:
    """One clientId of one user: all attempts, and what the log has of it."""

    name: str
    request: str = "send"
    tried_at: list[float] = field(default_factory=list)
    refused: list[Answered] = field(default_factory=list)
    # Each ack with the time at which its attempt began.
    acks: list[tuple[float, Answered]] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)

    def take(self, record: Sent | Answered, asked_at: float) -> None:
        if isinstance(record, Sent):
            self.request = record.name
            self.tried_at.append(record.at)
        elif record.outcome is Outcome.ACKED:
            self.acks.append((asked_at, record))
        elif record.outcome is Outcome.REFUSED:
            self.refused.append(record)

    @property
    def codes(self) -> str:
        return ", ".join(sorted({each.code for each in self.refused}))


class _Operations(dict[tuple[str, str], _Operation]):
    """By user and clientId."""

    def __missing__(self, key: tuple[str, str]) -> _Operation:
        self[key] = made = _Operation(f"{key[1]} of {key[0]}")
        return made


def check_sends(
    histories: Sequence[History],
    log: FinalLog,
    *,
    lost: Sequence[Span] = (),
    durability: str | None = None,
) -> Iterator[Violation]:
    """Compare what clients asked for and were answered with what a room holds.

    Args:
        histories: Of all clients.
        log: The room at the end.
        lost: Times whose acknowledged operations may be gone: Redis lost its tail.
        durability: What acks of messages have to tell; None if that is not known.
    """
    operations = _operations(histories, log)
    found = [("contiguous", text) for text in _jumps(log)]
    for each in operations.values():
        if log.messages_only and each.request != "send":
            continue
        found += _stored(each)
        found += _acknowledged(each, log, lost, durability)
        found += _refused(each)
    found += _real_time(operations, log)
    for rule, text in found:
        yield Violation(rule, log.room, text)


def operation_of(entry: LogEntry) -> tuple[str, str]:
    """Return the user and the name of what made an event; empty if it has no name."""
    if entry.name == "message":
        return entry.user, entry.client_id or entry.words
    name, user = NAMED.get(entry.name, ("", ""))
    named = entry.more.get(name) if name else entry.words
    return str(entry.more.get(user, "")), str(named or "")


def _operations(histories: Sequence[History], log: FinalLog) -> _Operations:
    found = _Operations()
    for history in histories:
        for record, asked_at in _attempts(history, log.room):
            found[history.user, record.client_id].take(record, asked_at)
    by_uid = {ack.uid: each for each in found.values() for _, ack in each.acks}
    for entry in log.entries:
        user, name = operation_of(entry)
        if name:
            found[user, name].entries.append(entry)
        elif entry.uid in by_uid:
            # What was deleted since names nobody in the history.
            by_uid[entry.uid].entries.append(entry)
    return found


def _attempts(history: History, room: str) -> Iterator[tuple[Sent | Answered, float]]:
    """Yield beginnings and ends of attempts, with the time of the beginning."""
    asked_at: dict[str, float] = {}
    for record in history.records:
        if isinstance(record, Sent | Answered) and record.room == room:
            if isinstance(record, Sent):
                asked_at[record.client_id] = record.at
            yield record, asked_at.get(record.client_id, record.at)


def _jumps(log: FinalLog) -> Iterator[str]:
    """Numbers and offsets go up by one."""
    for before, after in pairwise(log.messages):
        if after.message != before.message + 1:
            yield f"message {after.message} follows message {before.message}"
    for before, after in pairwise(() if log.messages_only else log.entries):
        if after.offset != before.offset + 1:
            yield f"offset {after.offset} follows offset {before.offset}"


def _stored(operation: _Operation) -> Iterator[tuple[str, str]]:
    """Once at most, and only what somebody sent."""
    places = " and ".join(map(_place, operation.entries))
    tries = 1 if operation.request in ONCE else len(operation.tried_at)
    if operation.tried_at and len(operation.entries) > tries:
        yield "once", f"{operation.name} is in the log more than once, as {places}"
    if operation.entries and not operation.tried_at:
        yield "genuine", f"{places} ({operation.name}) was sent by nobody"
    for entry in operation.entries:
        changed = not entry.message or "rev" in entry.more
        if not changed and entry.words not in (entry.client_id, UNNAMED):
            yield "genuine", f"{places} ({operation.name}) has the words {entry.words}"


def _acknowledged(
    operation: _Operation, log: FinalLog, lost: Sequence[Span], durability: str | None
) -> Iterator[tuple[str, str]]:
    """It is in the log as the ack says, and as safe as was asked for."""
    if operation.request in UNNAMED_REQUESTS:
        return
    is_message = operation.request == "send"
    stored = [(each.message, each.offset, each.uid) for each in operation.entries]
    for asked_at, ack in operation.acks:
        if is_message and durability is not None and ack.durability != durability:
            told = f"acknowledged as {ack.durability or 'nothing'}, not as {durability}"
            yield "durability", f"{operation.name} was {told}"
        # It was stored somewhen between the attempt and its answer.
        may_be_gone = any(asked_at <= end and start <= ack.at for start, end in lost)
        if (is_message and ack.message < log.first_kept) or may_be_gone:
            continue
        if not ack.offset:
            # What was deleted before by another one is told without a place.
            if not stored and not ack.duplicate:
                yield "acknowledged", f"{operation.name} was, but is not in the log"
        elif (ack.message, ack.offset, ack.uid) not in stored:
            yield (
                "acknowledged",
                f"{operation.name} was acknowledged as message {ack.message} (offset"
                f" {ack.offset}, uid {ack.uid}), but is {stored or 'not'} in the log",
            )


def _refused(operation: _Operation) -> Iterator[tuple[str, str]]:
    """Nothing is stored of what was refused, nor had it been."""
    refused = len(operation.refused)
    said = f"{operation.name} was refused ({operation.codes})"
    if refused and refused == len(operation.tried_at) and operation.entries:
        place = _place(operation.entries[0])
        yield "refused", f"{said} each time it was tried, but is {place}"
    duplicates = [ack for _, ack in operation.acks if ack.duplicate]
    # A duplicate needs an earlier attempt that was not refused.
    tries = len(operation.tried_at) - refused
    by_id = operation.request in ("send", "edit")
    if by_id and len(duplicates) == len(operation.acks) == tries == 1:
        yield "refused", f"{said}, yet the only other attempt was a duplicate"


def _real_time(operations: _Operations, log: FinalLog) -> Iterator[tuple[str, str]]:
    """What was acknowledged before another was first sent comes before it."""
    earliest: tuple[float, LogEntry] | None = None
    for entry in reversed(log.entries):
        operation = operations.get(operation_of(entry))
        if operation is None:
            continue
        first_at = min(operation.tried_at, default=0.0)
        if earliest is not None and earliest[0] < first_at:
            yield (
                "real time",
                f"{_place(earliest[1])} was acknowledged"
                f" {first_at - earliest[0]:.3f} s before {_place(entry)} was sent, but"
                " comes after it",
            )
        # After a lost tail a message may have been stored, and acknowledged, anew.
        acked_at = [ack.at for _, ack in operation.acks if ack.uid == entry.uid]
        if acked_at and (earliest is None or min(acked_at) < earliest[0]):
            earliest = (min(acked_at), entry)


def _place(entry: LogEntry) -> str:
    if entry.message:
        return f"message {entry.message}"
    return f"{entry.name} at offset {entry.offset}"
