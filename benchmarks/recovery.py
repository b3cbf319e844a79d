"""How long recoveries, failovers and answers took, from the histories. Pure."""

from collections.abc import Sequence

from verify.faults.failovers import FAILOVERS, Failover
from verify.faults.kinds import Ended
from verify.history import Answered, Began, History, Outcome, Sent, Shown, Span, of_kind

# A room, an offset and a uid: after a lost tail the offset alone is another event.
Event = tuple[str, int, str]

# A message that was sent and is everywhere within this is not a late one: many times
# what it takes in calm.
CALM_SECONDS = 1.0

# Time after another fault in which what is late may be late of that.
AFTER_SECONDS = 1.0


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of the values do not exceed, 0 of none."""
    if not ascending:
        return 0.0
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def longest_answer(history: History) -> float:
    """Return the seconds from an attempt to its answer, at most."""
    longest = 0.0
    begun: dict[tuple[str, str], float] = {}
    for record in history.records:
        if isinstance(record, Sent):
            begun[record.room, record.client_id] = record.at
        elif isinstance(record, Answered) and record.code not in ("silent", "cut off"):
            name = (record.room, record.client_id)
            longest = max(longest, record.at - begun.get(name, record.at))
    return longest


def recoveries(histories: Sequence[History], faults: Sequence[Ended]) -> list[float]:
    """Return how long after each fault's end the last late message was everywhere.

    A message counts for the last fault that ended before it was everywhere; if
    another fault was at work by then it counts for none. Failovers are measured by
    themselves.
    """
    latest = {each: 0.0 for each in faults if each.kind not in FAILOVERS}
    shown = _everywhere(histories)
    for name, ack in _acked(histories).items():
        shown_at = shown.get(name, ack.at)
        if any(each.struck_at < shown_at < each.ended_at for each in faults):
            continue
        over = [each for each in latest if each.ended_at <= shown_at]
        if over:
            fault = max(over, key=lambda each: each.ended_at)
            late = shown_at - max(ack.at, fault.ended_at)
            latest[fault] = max(latest[fault], late)
    return sorted(latest.values())


def _acked(histories: Sequence[History]) -> dict[Event, Answered]:
    """Return the first ack of each message."""
    first: dict[Event, Answered] = {}
    for history in histories:
        for record in of_kind(history.records, Answered):
            if record.outcome is Outcome.ACKED:
                name = (record.room, record.offset, record.uid)
                if name not in first or record.at < first[name].at:
                    first[name] = record
    return first


def _everywhere(histories: Sequence[History]) -> dict[Event, float]:
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


def failover_recoveries(
    histories: Sequence[History],
    failovers: Sequence[Failover],
    faults: Sequence[Ended],
) -> list[float]:
    """Return the seconds from each failover's strike until every member had everything.

    That is until the last message that took over a second from its first attempt was
    everywhere, and the last client was told that a tail was lost; ascending. What is
    late while another fault is at work, or just after one, counts for none.
    """
    others = [
        (each.struck_at, each.ended_at + AFTER_SECONDS)
        for each in faults
        if each.kind not in FAILOVERS
    ]
    late = _late(histories)
    starts = sorted(each.struck_at for each in failovers)
    recovered = []
    for each in failovers:
        following = [start for start in starts if start > each.struck_at]
        until = min(following, default=float("inf"))
        last = each.promoted_at
        for begun_at, done_at in late:
            own = each.struck_at < done_at < until and begun_at < each.whole_at
            span = (max(begun_at, each.struck_at), done_at)
            if own and not any(_overlap(span, other) for other in others):
                last = max(last, done_at)
        recovered.append(last - each.struck_at)
    return sorted(recovered)


def _late(histories: Sequence[History]) -> list[Span]:
    """Return from when to when each late message, or word of a lost tail, took."""
    late: list[Span] = []
    for history in histories:
        late += [
            (record.at, record.at)
            for record in of_kind(history.records, Began)
            if record.reload or record.refused_cursor is not None
        ]
    first = _first_attempts(histories)
    shown = _everywhere(histories)
    for name, ack in _acked(histories).items():
        begun_at = first.get((ack.room, ack.client_id), ack.at)
        done_at = shown.get(name, ack.at)
        if done_at - begun_at > CALM_SECONDS:
            late.append((begun_at, done_at))
    return late


def _first_attempts(histories: Sequence[History]) -> dict[tuple[str, str], float]:
    """Return when each message was first tried, by room and clientId."""
    first: dict[tuple[str, str], float] = {}
    for history in histories:
        for record in of_kind(history.records, Sent):
            name = (record.room, record.client_id)
            first[name] = min(record.at, first.get(name, record.at))
    return first


def _overlap(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]
