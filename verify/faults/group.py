"""Faults of a primary, its replicas and its Sentinels."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from verify.faults.failovers import (
    LAG_SECONDS,
    LEAVE_SECONDS,
    PRIMARY_HANDED_OVER,
    PRIMARY_KILLED,
    PRIMARY_STOPPED,
    PRIMARY_TAIL_LOST,
    Failover,
)
from verify.harness.sentinel import SENTINELS, SentinelGroup

TAIL_SHARE = 0.4
"""Part of a fault in which replicas miss what is written, before the primary dies."""

GroupStrike = Callable[[SentinelGroup, int, float], Awaitable[Failover | None]]
"""Strikes a group for some seconds; the number chooses a replica or a Sentinel."""


async def _primary_killed(
    group: SentinelGroup, _number: int, seconds: float
) -> Failover:
    return await _without_primary(group, PRIMARY_KILLED, time.monotonic(), seconds)


async def _tail_lost(group: SentinelGroup, _number: int, seconds: float) -> Failover:
    stopped, stopped_at = group.replicas, time.monotonic()
    for port in stopped:
        group.processes[port].pause()
    # What lies in their sockets they would still read: from here on there is none.
    await group.admin(group.primary).client_kill_filter(_type="replica")
    await asyncio.sleep(seconds * TAIL_SHARE)
    return await _without_primary(
        group, PRIMARY_TAIL_LOST, stopped_at, seconds, stopped
    )


async def _without_primary(
    group: SentinelGroup,
    kind: str,
    doubtful_from: float,
    seconds: float,
    stopped: Sequence[int] = (),
) -> Failover:
    """Kill the primary for some seconds; then it comes back, as a replica.

    Args:
        group: The servers and Sentinels.
        kind: Of the fault.
        doubtful_from: What was written from then on, a replica may not have.
        seconds: How long.
        stopped: Ports of replicas that go on once the primary is dead.
    """
    former, struck_at = group.primary, time.monotonic()
    group.kill(former)
    killed_at = time.monotonic()
    for port in stopped:
        group.processes[port].resume()
    promoted_at = await _promoted(group, former, seconds)
    group.start_server(former)
    whole_at = await group.demoted(former)
    lost = ((doubtful_from - LAG_SECONDS, killed_at),)
    return Failover(kind, struck_at, promoted_at, whole_at, lost)


async def _promoted(group: SentinelGroup, former: int, seconds: float) -> float:
    """Wait for some seconds, and for another primary; return when it was named."""
    promoted_at, _ = await asyncio.gather(
        group.promoted(former), asyncio.sleep(seconds)
    )
    return promoted_at


async def _primary_stopped(
    group: SentinelGroup, _number: int, seconds: float
) -> Failover:
    former, struck_at = group.primary, time.monotonic()
    group.processes[former].pause()
    promoted_at = await _promoted(group, former, seconds)
    # It was stopped for longer than the Sentinels wait, and is back as a primary that
    # nobody follows.
    back_at = time.monotonic()
    group.processes[former].resume()
    whole_at = await group.demoted(former)
    lost = (
        (struck_at - LAG_SECONDS, struck_at),
        (back_at, min(whole_at, back_at + LEAVE_SECONDS)),
    )
    return Failover(PRIMARY_STOPPED, struck_at, promoted_at, whole_at, lost)


async def _primary_handed_over(
    group: SentinelGroup, _number: int, seconds: float
) -> Failover:
    former, struck_at = group.primary, time.monotonic()
    await group.fail_over()
    promoted_at, whole_at = await asyncio.gather(
        _promoted(group, former, seconds), group.demoted(former)
    )
    lost = ((struck_at - LAG_SECONDS, min(whole_at, promoted_at + LEAVE_SECONDS)),)
    return Failover(PRIMARY_HANDED_OVER, struck_at, promoted_at, whole_at, lost)


async def _replica_killed(group: SentinelGroup, number: int, seconds: float) -> None:
    port = group.replicas[number % len(group.replicas)]
    group.kill(port)
    await asyncio.sleep(seconds)
    group.start_server(port)


async def _sentinel_killed(group: SentinelGroup, number: int, seconds: float) -> None:
    port = group.sentinel_ports[number % SENTINELS]
    group.kill(port)
    await asyncio.sleep(seconds)
    await group.start_sentinel(port)


async def _sentinel_stopped(group: SentinelGroup, number: int, seconds: float) -> None:
    process = group.processes[group.sentinel_ports[number % SENTINELS]]
    process.pause()
    await asyncio.sleep(seconds)
    process.resume()


GROUP_STRIKES: Mapping[str, GroupStrike] = {
    PRIMARY_KILLED: _primary_killed,
    PRIMARY_TAIL_LOST: _tail_lost,
    PRIMARY_STOPPED: _primary_stopped,
    PRIMARY_HANDED_OVER: _primary_handed_over,
    "replica SIGKILL": _replica_killed,
    "Sentinel SIGKILL": _sentinel_killed,
    "Sentinel SIGSTOP": _sentinel_stopped,
}
"""Faults of a group with Sentinels, by the name that they have in reports."""
