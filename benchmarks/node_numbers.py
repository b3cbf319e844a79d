"""What a node's ``/metrics`` says of its process, and what it amounts to. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_SAMPLE = re.compile(r'^(\w+)(?:\{(?:le|kind)="([^"]*)"\})? (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NodeNumbers:
    """One process at one moment.

    Attributes:
        started_at: Unix seconds; tells a process from the one before it.
        memory_bytes: Resident memory.
        lags: How often the event loop was that late, by the upper bound in seconds;
            not cumulative.
        worst_lag: The longest lag since the start, in seconds.
        worst_lag_busy: CPU seconds of the loop's thread in that one.
    """

    started_at: float
    memory_bytes: int
    lags: Counter[float]
    worst_lag: float
    worst_lag_busy: float


@dataclass(frozen=True, slots=True)
class LagFigures:
    """How late event loops were, over some processes and some time.

    Attributes:
        probes: How many there were.
        p99_9_seconds: Upper bound of the bucket that the 99.9th percentile is in.
        worst_seconds: The longest one.
        worst_busy_seconds: CPU time of that loop's thread in it; None where the
            process had a longer one before, so that only the bucket is known.
        counts: Probes by upper bound.
    """

    probes: int = 0
    p99_9_seconds: float = 0.0
    worst_seconds: float = 0.0
    worst_busy_seconds: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def parse_numbers(text: str) -> NodeNumbers:
    """Read what ``/metrics`` answered.

    Raises:
        KeyError, ValueError: It is not of a node that tells all of this.
    """
    values: dict[str, float] = {}
    below: dict[float, int] = {}
    for name, label, value in _SAMPLE.findall(text):
        if name == "chatroom_loop_lag_seconds_bucket":
            below[float(label)] = int(float(value))
        elif not label:
            values[name] = float(value)
    lags: Counter[float] = Counter()
    before = 0
    for bound, count in below.items():
        lags[bound] = count - before
        before = count
    return NodeNumbers(
        started_at=values["process_start_time_seconds"],
        memory_bytes=int(values["process_resident_memory_bytes"]),
        lags=lags,
        worst_lag=values["chatroom_loop_lag_worst_seconds"],
        worst_lag_busy=values["chatroom_loop_lag_worst_busy_seconds"],
    )


def lag_figures(
    spans: Iterable[tuple[NodeNumbers | None, NodeNumbers]],
) -> LagFigures:
    """Add up what processes' loops did.

    Args:
        spans: Of each process the numbers before, if it was there before, and after.
    """
    total: Counter[float] = Counter()
    worst: float = 0.0
    busy: float | None = None
    for before, after in spans:
        lags = after.lags - (before.lags if before else Counter())
        total += lags
        mine, mine_busy = _worst(before, after, lags)
        if mine > worst:
            worst, busy = mine, mine_busy
    return _figures(total, worst, busy)


def together(parts: Sequence[LagFigures]) -> LagFigures:
    """Add up the figures of several times."""
    total: Counter[float] = Counter()
    for part in parts:
        total += Counter({float(bound): count for bound, count in part.counts.items()})
    worst = max(parts, key=lambda part: part.worst_seconds, default=LagFigures())
    return _figures(total, worst.worst_seconds, worst.worst_busy_seconds)


def _figures(total: Counter[float], worst: float, busy: float | None) -> LagFigures:
    return LagFigures(
        probes=total.total(),
        p99_9_seconds=min(_bound_of(total, 0.999), worst),
        worst_seconds=worst,
        worst_busy_seconds=busy,
        counts={f"{bound:g}": total[bound] for bound in sorted(total)},
    )


def _worst(
    before: NodeNumbers | None, after: NodeNumbers, lags: Counter[float]
) -> tuple[float, float | None]:
    """Return the worst lag of a span, and the CPU time in it where that is known."""
    if before is None or after.worst_lag > before.worst_lag:
        return after.worst_lag, after.worst_lag_busy
    return min(max(lags, default=0.0), after.worst_lag), None


def _bound_of(counts: Counter[float], share: float) -> float:
    left = counts.total() * share
    for bound in sorted(counts):
        left -= counts[bound]
        if left <= 0:
            return bound
    return 0.0
