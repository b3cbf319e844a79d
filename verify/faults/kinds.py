"""Every kind of fault: it strikes, lasts, and ends; then all must be well."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from realtime.errors import StartError
from verify.faults.failovers import FAILOVERS, Failover
from verify.faults.shards import MOVED_AT_ONCE, SHARD_STRIKES
from verify.harness.process import ChildProcess
from verify.harness.proxy import BOTH, Direction, Line
from verify.harness.receiver import Mood
from verify.harness.redis_cluster import RedisCluster
from verify.harness.sentinel import SentinelGroup
from verify.harness.site import Site
from verify.plan import Fault

# Starts of a node before it is given up: it ends at once while Redis is away, which
# another fault may have seen to.
START_TRIES = 20

# Between two of them.
START_PAUSE_SECONDS = 0.5

# Deadline until a process is whole again after an earlier fault.
TURN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A fault that is over, and the failover that it led to; the histories' clock.

    ``rooms`` are those of the shard that it struck.
    """

    kind: str
    struck_at: float
    ended_at: float
    failover: Failover | None = None
    rooms: frozenset[str] = frozenset()


# Lets a fault strike, last and end.
Strike = Callable[[Site, Fault], Awaitable[None]]


def _process(site: Site, fault: Fault) -> ChildProcess:
    """Return the process that a fault strikes."""
    part, group = fault.kind.partition(" ")[0], site.group
    found: Sequence[ChildProcess | None] = [place.process for place in site.places]
    if part == "Redis":
        found = [site.valkey]
    elif group is not None and part in ("replica", "Sentinel"):
        ports = group.replicas if part == "replica" else group.sentinel_ports
        found = [group.processes[port] for port in ports]
    process = found[fault.node % len(found)]
    if process is None:
        raise ValueError(f"{fault.kind} needs processes of the run's own")
    return process


def _ended_by(farewell: signal.Signals) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        process = _process(site, fault)
        process.signal(farewell)
        await asyncio.sleep(fault.seconds)
        await process.ended()
        for tries_left in reversed(range(START_TRIES)):
            process.start()
            try:
                await process.ready()
                break
            except StartError:
                process.kill()
                if not tries_left:
                    raise
                await asyncio.sleep(START_PAUSE_SECONDS)

    return struck


async def _stopped(site: Site, fault: Fault) -> None:
    process = _process(site, fault)
    process.pause()
    await asyncio.sleep(fault.seconds)
    process.resume()


async def _tail_lost(site: Site, fault: Fault) -> None:
    if site.valkey is not None:
        site.valkey.keep()
        await asyncio.sleep(fault.seconds)
        site.valkey.go_back()
        await _ended_by(signal.SIGKILL)(site, fault)


def _received(mood: Mood) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        if site.receiver is not None:
            site.receiver.feel(mood)
            await asyncio.sleep(fault.seconds)
            site.receiver.feel(Mood.WELL)

    return struck


def _connections_killed(kind: str) -> Strike:
    async def struck(site: Site, _fault: Fault) -> None:
        command = ("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        if site.cluster is not None:
            for port in site.cluster.ports:
                await site.cluster.ask(port, *command)
        elif (redis := site.redis()) is not None:
            await redis.execute_command(*command)

    return struck


async def _connections_paused(site: Site, fault: Fault) -> None:
    if (redis := site.redis()) is not None:
        # Redis ends it by itself: this command's own connection is paused as well.
        await redis.client_pause(int(fault.seconds * 1000) + 1)
        await asyncio.sleep(fault.seconds)


def _on_lines(line: Line | None = None, cut: Direction | None = None) -> Strike:
    """Spoil lines for a while; or cut them within the next bytes, or at once."""

    async def struck(site: Site, fault: Fault) -> None:
        place = site.places[fault.node]
        to_clients = fault.kind.startswith("client-node ")
        lines = [place.client_line] if to_clients else place.redis_lines
        for each in lines:
            if line is not None:
                each.set_line(line)
            elif cut is None:
                each.reset()
        if cut is not None:
            await asyncio.gather(*(each.cut_in_mid_frame(cut) for each in lines))
        await asyncio.sleep(fault.seconds)
        for each in lines:
            each.set_line(Line())

    return struck


def _line_strikes(side: str, not_reading: str, down: str, up: str) -> dict[str, Strike]:
    strikes = {
        "stall": _on_lines(Line(stalled=BOTH)),
        not_reading: _on_lines(Line(stalled=frozenset({Direction.DOWN}))),
        "black hole": _on_lines(Line(swallowing=True)),
        "reset": _on_lines(),
        down: _on_lines(cut=Direction.DOWN),
        up: _on_lines(cut=Direction.UP),
        # A line to the other side of the world, each way; and a bad mobile one.
        "delay": _on_lines(Line(delay_seconds=0.15)),
        "throttle": _on_lines(Line(bytes_per_second=20_000)),
    }
    return {f"{side} {name}": struck for name, struck in strikes.items()}


REDIS_KILLED = "Redis SIGKILL"

# Redis ends and comes back without its last seconds: what was acknowledged in them is
# gone, and clients have to be told. Not among :data:`KINDS`.
TAIL_LOST = "Redis tail lost"

# Faults of a group under Sentinels, besides those that lead to a failover.
GROUP_STRIKES: dict[str, Strike] = {
    "replica SIGKILL": _ended_by(signal.SIGKILL),
    "Sentinel SIGKILL": _ended_by(signal.SIGKILL),
    "Sentinel SIGSTOP": _stopped,
}

# Faults of the application that is told what happens.
RECEIVER_STRIKES: dict[str, Strike] = {
    f"receiver {mood.value}": _received(mood) for mood in Mood if mood is not Mood.WELL
}
RECEIVER_KINDS = tuple(RECEIVER_STRIKES)

# Faults of nodes on one Redis, by the names that they have in reports.
STRIKES: dict[str, Strike] = {
    "node SIGKILL": _ended_by(signal.SIGKILL),
    "node SIGSTOP": _stopped,
    "node SIGTERM": _ended_by(signal.SIGTERM),
    REDIS_KILLED: _ended_by(signal.SIGKILL),
    "Redis SIGSTOP": _stopped,
    "Redis CLIENT KILL pubsub": _connections_killed("pubsub"),
    "Redis CLIENT KILL normal": _connections_killed("normal"),
    "Redis CLIENT PAUSE": _connections_paused,
    **_line_strikes(
        "node-Redis", "answers stall", "cut in an answer", "cut in a command"
    ),
    **_line_strikes(
        "client-node", "not reading", "cut in an event", "cut in a request"
    ),
}

KINDS = tuple(STRIKES)
# Those between clients and nodes, whoever started these.
CLIENT_KINDS = tuple(kind for kind in KINDS if kind.startswith("client-node "))

# Those that a Redis can be told to make, whoever started it.
REDIS_KINDS = tuple(kind for kind in KINDS if kind.startswith("Redis CLIENT "))

# Those of one server. With Sentinels there are those of the primary instead; a pause
# would stop the Sentinels' own questions as well, and be the same as SIGSTOP.
SINGLE_KINDS = frozenset({REDIS_KILLED, "Redis SIGSTOP", "Redis CLIENT PAUSE"})

GROUP_KINDS = (*FAILOVERS, *GROUP_STRIKES)
SEVERAL_KINDS = tuple(each for each in KINDS if each not in SINGLE_KINDS)
SENTINEL_KINDS = (*GROUP_KINDS, *SEVERAL_KINDS)

# Those of a cluster, by the kind of its servers.
CLUSTER_KINDS = {
    "valkey": (*SHARD_STRIKES, *SEVERAL_KINDS),
    "redis": (*(set(SHARD_STRIKES) - {MOVED_AT_ONCE}), *SEVERAL_KINDS),
}


async def strike(
    site: Site, fault: Fault, until: float, rooms: Sequence[str] = ()
) -> Ended | None:
    """Let a fault strike, last and end, once what it strikes is whole again.

    Args:
        site: Where.
        fault: What.
        until: The time after which it is too late: nothing strikes a group then.
        rooms: Those of the run; what strikes a shard strikes that of one of them.

    Returns:
        When it was; None if it was too late.

    Raises:
        StartError: A group is not whole, or a process does not start, in time.
        TimeoutError: An earlier fault does not end.
    """
    group: SentinelGroup | RedisCluster | None = None
    if fault.kind in GROUP_KINDS:
        group = site.group
    elif fault.kind in SHARD_STRIKES or fault.kind.startswith("Redis "):
        group = site.cluster
    async with AsyncExitStack() as stack:
        if group is not None:
            # Those before it may last, on a busy machine, until it is too late.
            with suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    await stack.enter_async_context(group.turn)
            if time.monotonic() < until:
                await group.whole()
        elif fault.kind.startswith("node "):
            async with asyncio.timeout(TURN_SECONDS):
                await stack.enter_async_context(site.places[fault.node].turn)
        struck_at = time.monotonic()
        if group is not None and struck_at > until:
            return None
        failover, struck = await _carry_out(site, fault, rooms)
        return Ended(fault.kind, struck_at, time.monotonic(), failover, struck)


async def _carry_out(
    site: Site, fault: Fault, rooms: Sequence[str]
) -> tuple[Failover | None, frozenset[str]]:
    """Return the failover that there was, and the rooms of a shard that was struck."""
    if site.group is not None and fault.kind in FAILOVERS:
        begin = FAILOVERS[fault.kind]
        return await begin(site.group, fault.kind, fault.seconds), frozenset()
    if site.cluster is not None and fault.kind in SHARD_STRIKES:
        aim = rooms[fault.node % len(rooms)]
        shards = {room: await site.cluster.shard_of(room) for room in rooms}
        struck = frozenset(room for room in rooms if shards[room] == shards[aim])
        return await SHARD_STRIKES[fault.kind](site.cluster, aim, fault), struck
    known = {**STRIKES, **GROUP_STRIKES, **RECEIVER_STRIKES, TAIL_LOST: _tail_lost}
    await known[fault.kind](site, fault)
    return None, frozenset()
