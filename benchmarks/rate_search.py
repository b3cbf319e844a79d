"""The highest rate that a server carries before users feel it, found by trying."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.load_generator import Figures
from benchmarks.stage import LOAD_LIMIT, is_clean

# Longest delivery, of 99 in 100, that a person does not feel.
P99_MS = 50.0

# p99 of how late the load generator itself sent: from here on it may be what is slow.
LATE_MS = 10.0

# Share of the messages that were due that must have been sent.
SENT_SHARE = 0.95

# Highest rate that fails over highest that holds, at which the search ends.
CLOSE = 1.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a server did at a rate.

    Attributes:
        rate: Messages a second that were asked for.
        p99_ms: Of the deliveries, each from the moment its message was due.
        failed: Refused and missing messages and lost sessions; what was not sent.
        late_ms: p99 of how late the load generator sent.
        server, redis, load: Shares of a core that they took; the last two have one.
        cpu_us: Of the server, for a message.
        clean: Whether nobody else took the server's core.
    """

    rate: float
    p99_ms: float
    failed: int
    late_ms: float
    server: float
    redis: float
    load: float
    cpu_us: float
    clean: bool

    @property
    def held(self) -> bool:
        """Whether users would not have felt it."""
        return not self.failed and self.p99_ms <= P99_MS

    @property
    def void(self) -> bool:
        """Whether it may have been the load generator that did not hold."""
        return not self.held and (self.late_ms > LATE_MS or self.load > LOAD_LIMIT)


def probe_of(figures: Figures, group: int, rate: float, seconds: float) -> Probe:
    """Judge a measured run in which a group was to send at a rate."""
    mine = figures["groups"][group]
    unsent = max(0, math.ceil(SENT_SHARE * rate * seconds) - mine["sent"])
    # More is delivered than expected where the run before left some under way.
    missing = max(0, mine["expected"] - mine["delivered"])
    return Probe(
        rate=rate,
        p99_ms=mine["delivery"]["p99_us"] / 1e3,
        failed=mine["refused"] + missing + figures["lost"] + unsent,
        late_ms=mine["late"]["p99_us"] / 1e3,
        server=figures["server_share"],
        redis=figures["redis_share"],
        load=figures["load_share"],
        cpu_us=figures["server_cpu_seconds"] * 1e6 / max(1, mine["sent"]),
        clean=is_clean(figures),
    )


def highest(
    ask: Callable[[float], Probe], begin: float, *, step: float, least: float
) -> tuple[Probe | None, Probe | None]:
    """Return the probe of the highest rate that held, and of the lowest that did not.

    Goes up by the step while it holds, or down while it does not, and then halves what
    is between until the two are :data:`CLOSE`.

    Args:
        ask: Tries a rate.
        begin: The first rate, in messages a second.
        step: Factor between two rates, above :data:`CLOSE`.
        least: Rate below which nothing is tried.

    Returns:
        None in place of the first: not even the least rate held.
    """
    best: Probe | None = None
    over: Probe | None = None
    rate = begin
    while rate >= least:
        tried = ask(rate)
        if tried.held:
            best = tried
        else:
            over = tried
        if best is None:
            rate /= step
        elif over is None:
            rate *= step
        elif over.rate / best.rate <= CLOSE:
            break
        else:
            rate = math.sqrt(best.rate * over.rate)
    return best, over
