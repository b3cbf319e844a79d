"""Checks of what was sent: stored once, under the number that was acknowledged."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from verify.final_log import FinalLog, LogEntry, Violation
from verify.history import Answered, History, Outcome, Sent, Span

Name = tuple[str, str]
"""A user and a clientId: what makes a message one message within a room."""


@dataclass(slots=True)
class _Send:
    """All attempts to send one message, by whichever of the user's clients."""

    client: str
    first_at: float
    tries: int = 0
    answers: list[Answered] = field(default_factory=list)
    asked_at: dict[Answered, float] = field(default_factory=dict)

    @property
    def acks(self) -> list[Answered]:
        return [each for each in self.answers if each.outcome is Outcome.ACKED]

    @property
    def all_refused(self) -> bool:
        """Whether the server said no to every attempt, so that nothing is stored."""
        no = [each for each in self.answers if each.outcome is Outcome.REFUSED]
        return len(no) == self.tries

    @property
    def codes(self) -> str:
        return ", ".join(sorted({each.code for each in self.answers if each.code}))


def check_sends(
    histories: Sequence[History], log: FinalLog, lost: Sequence[Span] = ()
) -> Iterator[Violation]:
    """Compare what clients sent and were answered with what a room holds.

    Args:
        histories: Of all clients.
        log: The room at the end.
        lost: Times whose acknowledged messages may be gone: Redis lost its tail.
    """
    sends = _sends(histories, log.room)
    yield from _numbers(log)
    stored = _by_name(log)
    yield from _doubles(log.room, stored, sends)
    for name, send in sends.items():
        yield from _outcome(log, name, send, stored.get(name, []), lost)
    yield from _real_time(log, sends)


def _sends(histories: Iterable[History], room: str) -> dict[Name, _Send]:
    sends: dict[Name, _Send] = {}
    for history in histories:
        asked_at: dict[str, float] = {}
        for record in history.records:
            if not isinstance(record, Sent | Answered) or record.room != room:
                continue
            name = (history.user, record.client_id)
            send = sends.setdefault(name, _Send(history.client, record.at))
            if isinstance(record, Sent):
                send.tries += 1
                send.first_at = min(send.first_at, record.at)
                asked_at[record.client_id] = record.at
            else:
                send.answers.append(record)
                send.asked_at[record] = asked_at.get(record.client_id, record.at)
    return sends


def _by_name(log: FinalLog) -> dict[Name, list[LogEntry]]:
    stored: dict[Name, list[LogEntry]] = defaultdict(list)
    for entry in log.messages:
        stored[entry.user, entry.client_id].append(entry)
    return stored


def _numbers(log: FinalLog) -> Iterator[Violation]:
    """Numbers and offsets go up by one."""
    for before, after in zip(log.messages, log.messages[1:], strict=False):
        if after.message != before.message + 1:
            text = f"message {after.message} follows message {before.message}"
            yield Violation("contiguous", log.room, text)
    if log.messages_only:
        return
    for earlier, later in zip(log.entries, log.entries[1:], strict=False):
        if later.offset != earlier.offset + 1:
            text = f"offset {later.offset} follows offset {earlier.offset}"
            yield Violation("contiguous", log.room, text)


def _doubles(
    room: str, stored: dict[Name, list[LogEntry]], sends: dict[Name, _Send]
) -> Iterator[Violation]:
    for name, entries in stored.items():
        if len(entries) > 1:
            numbers = " and ".join(str(each.message) for each in entries)
            text = f"{_said(name)} is in the log {len(entries)} times, as {numbers}"
            yield Violation("once", room, text)
        if name not in sends:
            text = f"message {entries[0].message} ({_said(name)}) was sent by nobody"
            yield Violation("genuine", room, text)


def _outcome(
    log: FinalLog,
    name: Name,
    send: _Send,
    entries: list[LogEntry],
    lost: Sequence[Span],
) -> Iterator[Violation]:
    for ack in send.acks:
        # It was stored somewhen between the attempt and its answer.
        asked_at = send.asked_at[ack]
        may_be_gone = any(asked_at <= end and start <= ack.at for start, end in lost)
        if ack.message < log.first_kept or may_be_gone:
            continue
        if not any(
            (ack.message, ack.offset, ack.uid) == (each.message, each.offset, each.uid)
            for each in entries
        ):
            where = f"it holds it as {entries[0].message}" if entries else "it is gone"
            text = (
                f"{_said(name)} was acknowledged to {send.client} as message"
                f" {ack.message} (offset {ack.offset}, uid {ack.uid}), but {where}"
            )
            yield Violation("acknowledged", log.room, text)
    if send.tries and send.all_refused and entries:
        text = (
            f"{_said(name)} was refused ({send.codes}) each time it was tried, but is"
            f" message {entries[0].message}"
        )
        yield Violation("refused", log.room, text)
    yield from _false_refusal(log.room, name, send)


def _false_refusal(room: str, name: Name, send: _Send) -> Iterator[Violation]:
    """A duplicate needs an earlier attempt that was not refused."""
    acks = send.acks
    firsts = [each for each in acks if not each.duplicate]
    others = send.tries - len([a for a in send.answers if a.outcome is Outcome.REFUSED])
    if acks and not firsts and others == len(acks) == 1:
        text = (
            f"{_said(name)} was refused ({send.codes}), yet its next attempt was"
            f" answered as a duplicate: it had been stored"
        )
        yield Violation("refused", room, text)


def _real_time(log: FinalLog, sends: dict[Name, _Send]) -> Iterator[Violation]:
    """What was acknowledged before another was first sent comes before it."""
    earliest_ack: tuple[float, LogEntry] | None = None
    for entry in reversed(log.messages):
        send = sends.get((entry.user, entry.client_id))
        if send is None:
            continue
        if earliest_ack is not None and earliest_ack[0] < send.first_at:
            late = earliest_ack[1]
            text = (
                f"message {late.message} was acknowledged"
                f" {send.first_at - earliest_ack[0]:.3f} s before message"
                f" {entry.message} was sent, but comes after it"
            )
            yield Violation("real time", log.room, text)
        # After a lost tail a message may have been stored, and acknowledged, anew.
        here = [each for each in send.acks if each.uid == entry.uid]
        acked_at = min((each.at for each in here), default=None)
        if acked_at is not None and (
            earliest_ack is None or acked_at < earliest_ack[0]
        ):
            earliest_ack = (acked_at, entry)


def _said(name: Name) -> str:
    return f"{name[1]} of {name[0]}"
