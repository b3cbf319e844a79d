"""Faults of a primary, its replicas and its Sentinels, and what they may cost."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from verify.history import Span
from verify.sentinel_group import SENTINELS, SentinelGroup

PRIMARY_KILLED = "primary SIGKILL"
PRIMARY_TAIL_LOST = "primary tail lost"
PRIMARY_STOPPED = "primary SIGSTOP"
PRIMARY_HANDED_OVER = "primary handed over"

UNASKED = "unasked failover"
"""The Sentinels replaced a primary that nothing was done to."""

LAG_SECONDS = 1.0
"""How old the newest write may be that a replica has: replication runs within
milliseconds of the primary, and a busy machine may stop either for a moment."""

LEAVE_SECONDS = 3.0
"""Deadline for nodes to leave a former primary once another one was named, or once the
former one lives again. What it took until then is lost with it."""

TAIL_SHARE = 0.4
"""Part of a fault in which replicas miss what is written, before the primary dies."""


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


Note = Callable[[Failover], None]
Strike = Callable[[SentinelGroup, int, float, Note], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _primary_killed(
    group: SentinelGroup, _number: int, _seconds: float, note: Note
) -> AsyncIterator[None]:
    async with _without_primary(group, PRIMARY_KILLED, time.monotonic(), note):
        yield


@asynccontextmanager
async def _tail_lost(
    group: SentinelGroup, _number: int, seconds: float, note: Note
) -> AsyncIterator[None]:
    stopped, stopped_at = group.replicas, time.monotonic()
    for port in stopped:
        await group.signal(port, signal.SIGSTOP)
    # What lies in their sockets they would still read: from here on there is none.
    await group.admin(group.primary).client_kill_filter(_type="replica")
    await asyncio.sleep(seconds * TAIL_SHARE)
    async with _without_primary(group, PRIMARY_TAIL_LOST, stopped_at, note, stopped):
        yield


@asynccontextmanager
async def _without_primary(
    group: SentinelGroup,
    kind: str,
    doubtful_from: float,
    note: Note,
    stopped: Sequence[int] = (),
) -> AsyncIterator[None]:
    """Kill the primary for as long as the block; then it comes back, as a replica.

    Args:
        group: The servers and Sentinels.
        kind: Of the fault.
        doubtful_from: What was written from then on, a replica may not have.
        note: Takes the failover.
        stopped: Ports of replicas that go on once the primary is dead.
    """
    former, struck_at = group.primary, time.monotonic()
    await group.kill(former)
    killed_at = time.monotonic()
    for port in stopped:
        await group.signal(port, signal.SIGCONT)
    async with asyncio.TaskGroup() as tasks:
        promotion = tasks.create_task(group.promoted(former))
        yield
    await group.start_server(former)
    whole_at = await group.demoted(former)
    lost = ((doubtful_from - LAG_SECONDS, killed_at),)
    note(Failover(kind, struck_at, promotion.result(), whole_at, lost))


@asynccontextmanager
async def _primary_stopped(
    group: SentinelGroup, _number: int, _seconds: float, note: Note
) -> AsyncIterator[None]:
    former, struck_at = group.primary, time.monotonic()
    await group.signal(former, signal.SIGSTOP)
    async with asyncio.TaskGroup() as tasks:
        promotion = tasks.create_task(group.promoted(former))
        yield
    # It was stopped for longer than the Sentinels wait, and is back as a primary that
    # nobody follows.
    back_at = time.monotonic()
    await group.signal(former, signal.SIGCONT)
    whole_at = await group.demoted(former)
    lost = (
        (struck_at - LAG_SECONDS, struck_at),
        (back_at, min(whole_at, back_at + LEAVE_SECONDS)),
    )
    note(Failover(PRIMARY_STOPPED, struck_at, promotion.result(), whole_at, lost))


@asynccontextmanager
async def _primary_handed_over(
    group: SentinelGroup, _number: int, _seconds: float, note: Note
) -> AsyncIterator[None]:
    former, struck_at = group.primary, time.monotonic()
    await group.fail_over()
    async with asyncio.TaskGroup() as tasks:
        promotion = tasks.create_task(group.promoted(former))
        demotion = tasks.create_task(group.demoted(former))
        yield
    promoted_at, whole_at = promotion.result(), demotion.result()
    lost = ((struck_at - LAG_SECONDS, min(whole_at, promoted_at + LEAVE_SECONDS)),)
    note(Failover(PRIMARY_HANDED_OVER, struck_at, promoted_at, whole_at, lost))


@asynccontextmanager
async def _replica_killed(
    group: SentinelGroup, number: int, _seconds: float, _note: Note
) -> AsyncIterator[None]:
    port = group.replicas[number % len(group.replicas)]
    await group.kill(port)
    yield
    await group.start_server(port)


@asynccontextmanager
async def _sentinel_killed(
    group: SentinelGroup, number: int, _seconds: float, _note: Note
) -> AsyncIterator[None]:
    port = group.sentinel_ports[number % SENTINELS]
    await group.kill(port)
    yield
    await group.start_sentinel(port)


@asynccontextmanager
async def _sentinel_stopped(
    group: SentinelGroup, number: int, _seconds: float, _note: Note
) -> AsyncIterator[None]:
    port = group.sentinel_ports[number % SENTINELS]
    await group.signal(port, signal.SIGSTOP)
    yield
    await group.signal(port, signal.SIGCONT)


FAILOVER_KINDS: dict[str, Strike] = {
    PRIMARY_KILLED: _primary_killed,
    PRIMARY_TAIL_LOST: _tail_lost,
    PRIMARY_STOPPED: _primary_stopped,
    PRIMARY_HANDED_OVER: _primary_handed_over,
}
"""Faults after which another server is the primary."""

GROUP_KINDS: dict[str, Strike] = {
    **FAILOVER_KINDS,
    "replica SIGKILL": _replica_killed,
    "Sentinel SIGKILL": _sentinel_killed,
    "Sentinel SIGSTOP": _sentinel_stopped,
}
"""Faults of a group with Sentinels."""

FAILOVER_SECONDS = (5.0, 8.0)
"""Range of a failover's length: the Sentinels take some two to four seconds for it, and
what recovers then is to be seen before anything else strikes."""

SURE_WITH_ONE_REPLICA = frozenset({PRIMARY_KILLED, PRIMARY_TAIL_LOST})
"""Failovers whose promoted replica is the one that has the most: one confirmed copy is
enough. In the others a replica may confirm what the promoted one does not have."""

SEEN_SECONDS = 2.0
"""Time after which a change of the primary has been seen, and in which the one promoted
had stopped to follow before it was named: a Sentinel looks at it once a second."""


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
