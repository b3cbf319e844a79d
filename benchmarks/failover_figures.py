"""How long failovers took, seen by the clients. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from verify.failovers import Failover
from verify.figures import Ended, acked, everywhere
from verify.history import Began, History, Sent, Span, of_kind

CALM_SECONDS = 1.0
"""A message that was sent and is everywhere within this is not a late one: many times
what it takes in calm."""

AFTER_SECONDS = 1.0
"""Time after another fault in which what is late may be late of that."""


@dataclass(frozen=True, slots=True)
class FailoverFigures:
    """Times of failovers, each from the moment it struck; ascending, in seconds.

    Attributes:
        promoted_seconds: Until the Sentinels named another primary.
        recovered_seconds: Until every member had everything: until the last message
            that took over a second from its first attempt was everywhere, and the last
            client was told that a tail was lost.
    """

    promoted_seconds: tuple[float, ...] = ()
    recovered_seconds: tuple[float, ...] = ()


def failover_figures(
    histories: Sequence[History],
    failovers: Sequence[Failover],
    faults: Sequence[Ended],
) -> FailoverFigures:
    """Measure.

    What is late while another fault is at work, or just after one, counts for none.

    Args:
        histories: Of all clients.
        failovers: Those of the run.
        faults: All faults of the run.
    """
    kinds = {each.kind for each in failovers}
    others = [
        (each.struck_at, each.ended_at + AFTER_SECONDS)
        for each in faults
        if each.kind not in kinds
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
    return FailoverFigures(
        tuple(sorted(each.promoted_at - each.struck_at for each in failovers)),
        tuple(sorted(recovered)),
    )


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
    shown = everywhere(histories)
    for name, ack in acked(histories).items():
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
