"""Faults of a Redis Cluster: slots move to another shard, primaries are replaced.

Each concerns the shard of one room; rooms of other shards are to notice nothing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from realtime.redis.cluster.slots import SLOTS
from verify.faults.failovers import (
    CLUSTER_CUT_OFF,
    CLUSTER_HANDED_OVER,
    CLUSTER_KILLED,
    CLUSTER_STOPPED,
    LAG_SECONDS,
    LEAVE_SECONDS,
    Failover,
)
from verify.harness.cluster_servers import SHARDS
from verify.harness.cluster_view import slot_of_room
from verify.harness.redis_cluster import RedisCluster
from verify.plan import Fault

MOVED_AT_ONCE = "cluster reshard atomic"
MOVED_BY_KEYS = "cluster reshard legacy"

# Slots that move with that of the room, where they move at once.
SLOTS_AT_ONCE = 64


async def _moved(cluster: RedisCluster, room: str, fault: Fault) -> None:
    """Move the room's slot to another shard, and back."""
    slot, home = slot_of_room(room), await cluster.shard_of(room)
    if fault.kind == MOVED_BY_KEYS:
        how, slots = "legacy", range(slot, slot + 1)
    else:
        how, slots = "atomic", range(slot, min(slot + SLOTS_AT_ONCE, SLOTS))
    for shard in ((home + 1) % SHARDS, home):
        await cluster.reshard(slots, shard, how, fault.seconds / 2)
        if how == "atomic":
            await asyncio.sleep(fault.seconds / 2)


async def _handed_over(cluster: RedisCluster, room: str, fault: Fault) -> Failover:
    """A planned failover: the replica has everything before it takes over."""
    struck_at = time.monotonic()
    promoted_at = await cluster.failover(await cluster.shard_of(room))
    return Failover(fault.kind, struck_at, promoted_at, time.monotonic(), ())


async def _killed(cluster: RedisCluster, room: str, fault: Fault) -> Failover:
    """SIGKILL; then it comes back, as a replica."""
    struck_at = time.monotonic()
    former = await cluster.kill(await cluster.shard_of(room))
    lost = (struck_at - LAG_SECONDS, time.monotonic())
    promoted_at = await _replaced(cluster, former, fault.seconds)
    cluster.processes[former].start()
    whole_at = await cluster.demoted(former)
    return Failover(fault.kind, struck_at, promoted_at, whole_at, (lost,))


async def _stopped(cluster: RedisCluster, room: str, fault: Fault) -> Failover:
    """SIGSTOP until another one is promoted; it is back as if nothing had been."""
    shard, struck_at = await cluster.shard_of(room), time.monotonic()
    former = await cluster.pause(shard)
    promoted_at = await _replaced(cluster, former, fault.seconds)
    back_at = time.monotonic()
    cluster.processes[former].resume()
    whole_at = await cluster.demoted(former)
    left_at = min(whole_at, back_at + LEAVE_SECONDS)
    before = (struck_at - LAG_SECONDS, struck_at + LAG_SECONDS)
    return Failover(
        fault.kind, struck_at, promoted_at, whole_at, (before, (back_at, left_at))
    )


async def _cut_off(cluster: RedisCluster, room: str, fault: Fault) -> Failover:
    """Only clients reach it until another one is promoted; then all do."""
    shard, struck_at = await cluster.shard_of(room), time.monotonic()
    former = await cluster.cut_off(shard)
    fenced_at, promoted_at = await asyncio.gather(
        cluster.fenced(former), _replaced(cluster, former, fault.seconds)
    )
    cluster.rejoin(former)
    whole_at = await cluster.demoted(former)
    lost = (struck_at - LAG_SECONDS, fenced_at)
    return Failover(fault.kind, struck_at, promoted_at, whole_at, (lost,))


async def _replaced(cluster: RedisCluster, former: int, seconds: float) -> float:
    """Wait for some seconds, and for another primary; return when it was seen."""
    seeing = cluster.promoted(former)
    return (await asyncio.gather(seeing, asyncio.sleep(seconds)))[0]


# What strikes the shard of a room, by the names in reports.
SHARD_STRIKES: dict[
    str, Callable[[RedisCluster, str, Fault], Awaitable[Failover | None]]
] = {
    MOVED_AT_ONCE: _moved,
    MOVED_BY_KEYS: _moved,
    CLUSTER_HANDED_OVER: _handed_over,
    CLUSTER_KILLED: _killed,
    CLUSTER_STOPPED: _stopped,
    CLUSTER_CUT_OFF: _cut_off,
}
