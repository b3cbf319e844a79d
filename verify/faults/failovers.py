"""Failovers, and what they may cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from verify.history import Span

PRIMARY_KILLED = "primary SIGKILL"
PRIMARY_TAIL_LOST = "primary tail lost"
PRIMARY_STOPPED = "primary SIGSTOP"
PRIMARY_HANDED_OVER = "primary handed over"

FAILOVER_KINDS = frozenset(
    {PRIMARY_KILLED, PRIMARY_TAIL_LOST, PRIMARY_STOPPED, PRIMARY_HANDED_OVER}
)
"""Faults after which another server is the primary."""

UNASKED = "unasked failover"
"""The Sentinels replaced a primary that nothing was done to."""

SURE_WITH_ONE_REPLICA = frozenset({PRIMARY_KILLED, PRIMARY_TAIL_LOST})
"""Failovers whose promoted replica is the one that has the most: one confirmed copy is
enough. In the others a replica may confirm what the promoted one does not have."""

LAG_SECONDS = 1.0
"""How old the newest write may be that a replica has: replication runs within
milliseconds of the primary, and a busy machine may stop either for a moment."""

LEAVE_SECONDS = 3.0
"""Deadline for nodes to leave a former primary once another one was named, or once the
former one lives again. What it took until then is lost with it."""

SEEN_SECONDS = 2.0
"""Time after which a change of the primary has been seen, and in which the one promoted
had stopped to follow before it was named: a Sentinel looks at it once a second."""


@dataclass(frozen=True, slots=True)
class Failover:
    """Another primary came. Times are of the histories' clock.

    Attributes:
        kind: Of the fault.
        struck_at: When it struck: the primary was killed, stopped or told to go.
        promoted_at: When the Sentinels named another one.
        whole_at: When the former one was a replica.
        doubtful: Times of writes that the one promoted may not have.
    """

    kind: str
    struck_at: float
    promoted_at: float
    whole_at: float
    doubtful: tuple[Span, ...]


def with_unasked(
    failovers: Sequence[Failover], changes: Sequence[float]
) -> list[Failover]:
    """Add the failovers that no fault accounts for, in the order of time.

    Args:
        failovers: Those of faults.
        changes: When the Sentinels named another primary.
    """
    found = list(failovers)
    own = [(each.struck_at, each.promoted_at + SEEN_SECONDS) for each in failovers]
    for at in changes:
        accounted = [each for each in own if each[0] <= at <= each[1]]
        if accounted:
            own.remove(accounted[0])
            continue
        span = (at - SEEN_SECONDS, at + LEAVE_SECONDS)
        found.append(Failover(UNASKED, at - SEEN_SECONDS, at, span[1], (span,)))
    return sorted(found, key=lambda each: each.struck_at)


def lost_spans(failover: Failover, durability: str) -> tuple[Span, ...]:
    """Return the times whose acknowledged messages may be gone after a failover.

    Args:
        failover: What happened.
        durability: That the acks told.
    """
    level, _, replicas = durability.partition(":")
    if level != "replicas":
        return failover.doubtful
    sure = failover.kind in SURE_WITH_ONE_REPLICA or int(replicas) > 1
    return () if sure else failover.doubtful
