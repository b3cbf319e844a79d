"""Checks of what was sent: stored once, under the number that was acknowledged."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from verify.history import (
    Answered,
    FinalLog,
    History,
    LogEntry,
    Outcome,
    Sent,
    Span,
    Violation,
)


@dataclass(slots=True)
class _Message:
    """One clientId of one user: all attempts to send it, and where it is stored."""

    name: str
    tried_at: list[float] = field(default_factory=list)
    refused: list[Answered] = field(default_factory=list)
    # Each ack with the time at which its attempt began.
    acks: list[tuple[float, Answered]] = field(default_factory=list)
    entries: list[LogEntry] = field(default_factory=list)

    def take(self, record: Sent | Answered, asked_at: float) -> None:
        if isinstance(record, Sent):
            self.tried_at.append(record.at)
        elif record.outcome is Outcome.ACKED:
            self.acks.append((asked_at, record))
        elif record.outcome is Outcome.REFUSED:
            self.refused.append(record)

    @property
    def codes(self) -> str:
        return ", ".join(sorted({each.code for each in self.refused}))


def check_sends(
    histories: Sequence[History],
    log: FinalLog,
    *,
    lost: Sequence[Span] = (),
    durability: str | None = None,
) -> Iterator[Violation]:
    """Compare what clients sent and were answered with what a room holds.

    Args:
        histories: Of all clients.
        log: The room at the end.
        lost: Times whose acknowledged messages may be gone: Redis lost its tail.
        durability: What acks have to tell; None if that is not known.
    """
    messages = _messages(histories, log)
    found = [("contiguous", text) for text in _jumps(log)]
    for message in messages.values():
        found += _stored(message)
        found += _acknowledged(message, log, lost, durability)
        found += _refused(message)
    found += _real_time(messages, log)
    for rule, text in found:
        yield Violation(rule, log.room, text)


def _messages(
    histories: Sequence[History], log: FinalLog
) -> dict[tuple[str, str], _Message]:
    found: dict[tuple[str, str], _Message] = {}

    def named(user: str, client_id: str) -> _Message:
        made = _Message(f"{client_id} of {user}")
        return found.setdefault((user, client_id), made)

    for history in histories:
        asked_at: dict[str, float] = {}
        for record in history.records:
            if isinstance(record, Sent | Answered) and record.room == log.room:
                message = named(history.user, record.client_id)
                message.take(record, asked_at.get(record.client_id, record.at))
                if isinstance(record, Sent):
                    asked_at[record.client_id] = record.at
    for entry in log.messages:
        named(entry.user, entry.client_id).entries.append(entry)
    return found


def _jumps(log: FinalLog) -> Iterator[str]:
    """Numbers and offsets go up by one."""
    for before, after in pairwise(log.messages):
        if after.message != before.message + 1:
            yield f"message {after.message} follows message {before.message}"
    for before, after in pairwise(() if log.messages_only else log.entries):
        if after.offset != before.offset + 1:
            yield f"offset {after.offset} follows offset {before.offset}"


def _stored(message: _Message) -> Iterator[tuple[str, str]]:
    """Once at most, and only what somebody sent."""
    numbers = " and ".join(str(each.message) for each in message.entries)
    if len(message.entries) > 1:
        yield "once", f"{message.name} is in the log more than once, as {numbers}"
    if message.entries and not message.tried_at:
        yield "genuine", f"message {numbers} ({message.name}) was sent by nobody"


def _acknowledged(
    message: _Message, log: FinalLog, lost: Sequence[Span], durability: str | None
) -> Iterator[tuple[str, str]]:
    """It is in the log as the ack says, and as safe as was asked for."""
    stored = [(each.message, each.offset, each.uid) for each in message.entries]
    for asked_at, ack in message.acks:
        if durability is not None and ack.durability != durability:
            told = f"acknowledged as {ack.durability or 'nothing'}, not as {durability}"
            yield "durability", f"{message.name} was {told}"
        # It was stored somewhen between the attempt and its answer.
        may_be_gone = any(asked_at <= end and start <= ack.at for start, end in lost)
        if ack.message < log.first_kept or may_be_gone:
            continue
        if (ack.message, ack.offset, ack.uid) not in stored:
            yield (
                "acknowledged",
                f"{message.name} was acknowledged as message {ack.message} (offset"
                f" {ack.offset}, uid {ack.uid}), but is {stored or 'not'} in the log",
            )


def _refused(message: _Message) -> Iterator[tuple[str, str]]:
    """Nothing is stored of what was refused, nor had it been."""
    refused = len(message.refused)
    said = f"{message.name} was refused ({message.codes})"
    if refused and refused == len(message.tried_at) and message.entries:
        number = message.entries[0].message
        yield "refused", f"{said} each time it was tried, but is message {number}"
    duplicates = [ack for _, ack in message.acks if ack.duplicate]
    # A duplicate needs an earlier attempt that was not refused.
    if len(duplicates) == len(message.acks) == len(message.tried_at) - refused == 1:
        yield "refused", f"{said}, yet the only other attempt was a duplicate"


def _real_time(
    messages: dict[tuple[str, str], _Message], log: FinalLog
) -> Iterator[tuple[str, str]]:
    """What was acknowledged before another was first sent comes before it."""
    earliest: tuple[float, LogEntry] | None = None
    for entry in reversed(log.messages):
        message = messages[entry.user, entry.client_id]
        first_at = min(message.tried_at, default=0.0)
        if earliest is not None and earliest[0] < first_at:
            yield (
                "real time",
                f"message {earliest[1].message} was acknowledged"
                f" {first_at - earliest[0]:.3f} s before message"
                f" {entry.message} was sent, but comes after it",
            )
        # After a lost tail a message may have been stored, and acknowledged, anew.
        acked_at = [ack.at for _, ack in message.acks if ack.uid == entry.uid]
        if acked_at and (earliest is None or min(acked_at) < earliest[0]):
            earliest = (min(acked_at), entry)
