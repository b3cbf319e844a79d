"""Figures of a run, computed from the histories afterwards. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from verify.failovers import FAILOVER_KINDS
from verify.history import (
    Answered,
    Began,
    History,
    Outcome,
    Sent,
    Shown,
    Up,
    of_kind,
)

Event = tuple[str, int, str]
"""A room, an offset and a uid: after a lost tail the offset alone is another event."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A fault that struck, on the clock of the histories."""

    kind: str
    struck_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run amounted to. Times are seconds.

    Attributes:
        messages: Messages acknowledged.
        attempts: Attempts to send them.
        shown: Events shown, over all clients.
        connects: Connections made.
        begun_anew: Views of a room that could not go on where they were.
        silent: Attempts on a living connection that got no answer at all.
        recovery_seconds: For each fault, from its end (or a message's ack, if that
            is later) until the last client had the message; ascending.
        answer_seconds: Longest time from an attempt to its answer.
        refusals: How often each code was answered.
    """

    messages: int
    attempts: int
    shown: int
    connects: int
    begun_anew: int
    silent: int
    recovery_seconds: list[float]
    answer_seconds: float
    refusals: dict[str, int]


def figures(histories: Sequence[History], faults: Sequence[Ended]) -> Figures:
    """Count and measure."""
    records = [record for history in histories for record in history.records]
    answers = of_kind(records, Answered)
    codes = Counter(each.code for each in answers if each.code)
    acked = {
        (each.room, each.message) for each in answers if each.outcome is Outcome.ACKED
    }
    return Figures(
        messages=len(acked),
        attempts=len(of_kind(records, Sent)),
        shown=len(of_kind(records, Shown)),
        connects=len(of_kind(records, Up)),
        begun_anew=len(
            [r for r in of_kind(records, Began) if r.reload or r.refused_cursor]
        ),
        silent=codes.pop("silent", 0),
        recovery_seconds=_recoveries(histories, faults),
        answer_seconds=max(map(_longest_answer, histories), default=0.0),
        refusals=dict(codes),
    )


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of the values do not exceed, 0 of none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def _longest_answer(history: History) -> float:
    """Each client sends one message a room at a time, so answers follow attempts."""
    longest = 0.0
    begun: dict[tuple[str, str], float] = {}
    for record in history.records:
        if isinstance(record, Sent):
            begun[record.room, record.client_id] = record.at
        elif isinstance(record, Answered) and record.code not in ("silent", "lost"):
            name = (record.room, record.client_id)
            longest = max(longest, record.at - begun.get(name, record.at))
    return longest


def _recoveries(histories: Sequence[History], faults: Sequence[Ended]) -> list[float]:
    """Return how long after each fault's end the last late message was everywhere.

    A message counts for the last fault that ended before it was everywhere; if
    another fault was at work by then it counts for none. Failovers are measured by
    themselves.
    """
    latest = {each: 0.0 for each in faults if each.kind not in FAILOVER_KINDS}
    shown = everywhere(histories)
    for name, ack in acked(histories).items():
        shown_at = shown.get(name, ack.at)
        if any(each.struck_at < shown_at < each.ended_at for each in faults):
            continue
        over = [each for each in latest if each.ended_at <= shown_at]
        if over:
            fault = max(over, key=lambda each: each.ended_at)
            late = shown_at - max(ack.at, fault.ended_at)
            latest[fault] = max(latest[fault], late)
    return sorted(latest.values())


def acked(histories: Sequence[History]) -> dict[Event, Answered]:
    """Return the first ack of each message."""
    first: dict[Event, Answered] = {}
    for history in histories:
        for record in of_kind(history.records, Answered):
            if record.outcome is Outcome.ACKED:
                name = (record.room, record.offset, record.uid)
                if name not in first or record.at < first[name].at:
                    first[name] = record
    return first


def everywhere(histories: Sequence[History]) -> dict[Event, float]:
    """Return when the last client first showed each event."""
    latest: dict[Event, float] = {}
    for history in histories:
        seen: set[Event] = set()
        for record in of_kind(history.records, Shown):
            name = (record.room, record.offset, record.uid)
            # A client that begins anew shows a page that it has shown before.
            if name not in seen:
                seen.add(name)
                latest[name] = max(record.at, latest.get(name, record.at))
    return latest
