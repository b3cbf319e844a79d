"""Faults after which another server is the primary, and what they may cost.

Those of a cluster's shards are in :mod:`.shards`.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from verify.harness.sentinel import SentinelGroup
from verify.history import Span

# The Sentinels, or a cluster, replaced a primary that nothing was done to.
UNASKED = "unasked failover"

PRIMARY_KILLED = "primary SIGKILL"
PRIMARY_TAIL_LOST = "primary tail lost"

CLUSTER_HANDED_OVER = "cluster failover"
CLUSTER_KILLED = "cluster primary SIGKILL"
CLUSTER_STOPPED = "cluster primary SIGSTOP"
CLUSTER_CUT_OFF = "cluster primary cut off"

# Failovers whose promoted replica is the one that has the most, or the only one: one
# confirmed copy is enough. In the others a replica may confirm what the promoted one
# does not have.
SURE_WITH_ONE_REPLICA = frozenset(
    {
        *(PRIMARY_KILLED, PRIMARY_TAIL_LOST),
        *(CLUSTER_HANDED_OVER, CLUSTER_KILLED, CLUSTER_STOPPED, CLUSTER_CUT_OFF),
    }
)

# How old the newest write may be that a replica has: replication runs within
# milliseconds of the primary, and a busy machine may stop either for a moment.
LAG_SECONDS = 1.0

# Deadline for nodes to leave a former primary once another one was named, or once the
# former one lives again. What it took until then is lost with it.
LEAVE_SECONDS = 3.0

# Time after which a change of the primary has been seen, and in which the one promoted
# had stopped to follow before it was named: a Sentinel looks at it once a second.
SEEN_SECONDS = 2.0

# Part of a fault in which replicas miss what is written, before the primary dies.
TAIL_SHARE = 0.4


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


async def primary_killed(group: SentinelGroup, kind: str, seconds: float) -> Failover:
    """SIGKILL; then it comes back, as a replica."""
    doubtful_from = time.monotonic()
    if kind == PRIMARY_TAIL_LOST:
        missing = [group.processes[port] for port in group.replicas]
        for replica in missing:
            replica.pause()
        # What lies in their sockets they would still read: from here on there is none.
        await group.admin(group.primary).client_kill_filter(_type="replica")
        await asyncio.sleep(seconds * TAIL_SHARE)
    former, struck_at = group.primary, time.monotonic()
    group.processes[former].kill()
    killed_at = time.monotonic()
    for port in group.replicas:
        group.processes[port].resume()
    promoted_at = await _promoted(group, former, seconds)
    group.processes[former].start()
    whole_at = await group.demoted(former)
    lost = ((doubtful_from - LAG_SECONDS, killed_at),)
    return Failover(kind, struck_at, promoted_at, whole_at, lost)


async def primary_stopped(group: SentinelGroup, kind: str, seconds: float) -> Failover:
    """SIGSTOP for longer than the Sentinels wait; it is back as if nothing had been."""
    former, struck_at = group.primary, time.monotonic()
    group.processes[former].pause()
    promoted_at = await _promoted(group, former, seconds)
    back_at = time.monotonic()
    group.processes[former].resume()
    whole_at = await group.demoted(former)
    left_at = min(whole_at, back_at + LEAVE_SECONDS)
    lost = ((struck_at - LAG_SECONDS, struck_at), (back_at, left_at))
    return Failover(kind, struck_at, promoted_at, whole_at, lost)


async def handed_over(group: SentinelGroup, kind: str, seconds: float) -> Failover:
    """A planned failover; the former primary goes on until it is told."""
    former, struck_at = group.primary, time.monotonic()
    await group.fail_over()
    promoted_at, whole_at = await asyncio.gather(
        _promoted(group, former, seconds), group.demoted(former)
    )
    lost = ((struck_at - LAG_SECONDS, min(whole_at, promoted_at + LEAVE_SECONDS)),)
    return Failover(kind, struck_at, promoted_at, whole_at, lost)


# Faults after which another server is the primary, by the names in reports.
FAILOVERS = {
    PRIMARY_KILLED: primary_killed,
    PRIMARY_TAIL_LOST: primary_killed,
    "primary SIGSTOP": primary_stopped,
    "primary handed over": handed_over,
}


async def _promoted(group: SentinelGroup, former: int, seconds: float) -> float:
    """Wait for some seconds, and for another primary; return when it was named."""
    naming = group.promoted(former)
    return (await asyncio.gather(naming, asyncio.sleep(seconds)))[0]


def with_unasked(
    failovers: Sequence[Failover], changes: Sequence[float]
) -> list[Failover]:
    """Add the failovers that no fault accounts for, in the order of time.

    Args:
        failovers: Those of faults.
        changes: When another primary was seen.
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
    """Return when what was acknowledged, with this durability, may be gone."""
    level, _, replicas = durability.partition(":")
    if level != "replicas":
        return failover.doubtful
    sure = failover.kind in SURE_WITH_ONE_REPLICA or int(replicas) > 1
    return () if sure else failover.doubtful
