"""Every kind of fault: it strikes, lasts, and ends; then all must be well."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from realtime.start_error import StartError
from verify.faults.failovers import FAILOVERS, Failover
from verify.harness.process import ChildProcess
from verify.harness.proxy import BOTH, Direction, FaultProxy, Line
from verify.harness.site import Site

START_TRIES = 20
"""Starts of a node before it is given up: it ends at once while Redis is away, which
another fault may have seen to."""

START_PAUSE_SECONDS = 0.5
"""Between two of them."""

TURN_SECONDS = 60.0
"""Deadline until a process or a group is whole again after an earlier fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: A key of :data:`STRIKES` or :data:`FAILOVERS`.
        node: Index of the node that it strikes; of no matter for Redis.
        seconds: How long it lasts; some are over at once.
    """

    kind: str
    node: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and when it strikes, in seconds since the beginning of the run."""

    at: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class Ended:
    """A fault that is over, and the failover that it led to; the histories' clock."""

    kind: str
    struck_at: float
    ended_at: float
    failover: Failover | None = None


Strike = Callable[[Site, Fault], Awaitable[None]]
"""Lets a fault strike, last and end."""


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


def _connections_killed(kind: str) -> Strike:
    async def struck(site: Site, _fault: Fault) -> None:
        if (redis := site.redis()) is not None:
            await redis.client_kill_filter(_type=kind, skipme=True)

    return struck


async def _connections_paused(site: Site, fault: Fault) -> None:
    if (redis := site.redis()) is not None:
        # Redis ends it by itself: this command's own connection is paused as well.
        await redis.client_pause(int(fault.seconds * 1000) + 1)
        await asyncio.sleep(fault.seconds)


Spoil = Callable[[FaultProxy, float], Awaitable[None]]
"""Spoils a line for some seconds."""


def _spoilt(line: Line) -> Spoil:
    async def spoil(proxy: FaultProxy, seconds: float) -> None:
        await proxy.set_line(line)
        await asyncio.sleep(seconds)
        await proxy.set_line(Line())

    return spoil


async def _reset(proxy: FaultProxy, _seconds: float) -> None:
    proxy.reset()


def _cut(direction: Direction) -> Spoil:
    return lambda proxy, _seconds: proxy.cut_in_mid_frame(direction)


def _on_lines(spoil: Spoil) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        place = site.places[fault.node]
        to_clients = fault.kind.startswith("client-node ")
        lines = [place.client_line] if to_clients else place.redis_lines
        await asyncio.gather(*(spoil(line, fault.seconds) for line in lines))

    return struck


_STALL = _on_lines(_spoilt(Line(stalled=BOTH)))
_NOT_READING = _on_lines(_spoilt(Line(stalled=frozenset({Direction.DOWN}))))
_BLACK_HOLE = _on_lines(_spoilt(Line(swallowing=True)))
_RESET = _on_lines(_reset)
_CUT_DOWN, _CUT_UP = _on_lines(_cut(Direction.DOWN)), _on_lines(_cut(Direction.UP))
# A line to the other side of the world, each way; and a bad mobile one.
_DELAY = _on_lines(_spoilt(Line(delay_seconds=0.15)))
_THROTTLE = _on_lines(_spoilt(Line(bytes_per_second=20_000)))

REDIS_KILLED = "Redis SIGKILL"

TAIL_LOST = "Redis tail lost"
"""Redis ends and comes back without its last seconds: what was acknowledged in them is
gone, and clients have to be told. Not among :data:`KINDS`."""

GROUP_STRIKES: dict[str, Strike] = {
    "replica SIGKILL": _ended_by(signal.SIGKILL),
    "Sentinel SIGKILL": _ended_by(signal.SIGKILL),
    "Sentinel SIGSTOP": _stopped,
}
"""Faults of a group under Sentinels, besides those that lead to a failover."""

STRIKES: dict[str, Strike] = {
    "node SIGKILL": _ended_by(signal.SIGKILL),
    "node SIGSTOP": _stopped,
    "node SIGTERM": _ended_by(signal.SIGTERM),
    REDIS_KILLED: _ended_by(signal.SIGKILL),
    "Redis SIGSTOP": _stopped,
    "Redis CLIENT KILL pubsub": _connections_killed("pubsub"),
    "Redis CLIENT KILL normal": _connections_killed("normal"),
    "Redis CLIENT PAUSE": _connections_paused,
    "node-Redis stall": _STALL,
    "node-Redis answers stall": _NOT_READING,
    "node-Redis black hole": _BLACK_HOLE,
    "node-Redis reset": _RESET,
    "node-Redis cut in an answer": _CUT_DOWN,
    "node-Redis cut in a command": _CUT_UP,
    "node-Redis delay": _DELAY,
    "node-Redis throttle": _THROTTLE,
    "client-node stall": _STALL,
    "client-node not reading": _NOT_READING,
    "client-node black hole": _BLACK_HOLE,
    "client-node reset": _RESET,
    "client-node cut in an event": _CUT_DOWN,
    "client-node cut in a request": _CUT_UP,
    "client-node delay": _DELAY,
    "client-node throttle": _THROTTLE,
}
"""Faults of nodes on one Redis, by the names that they have in reports."""

KINDS = tuple(STRIKES)
CLIENT_KINDS = tuple(kind for kind in KINDS if kind.startswith("client-node "))
"""Those between clients and nodes, whoever started these."""

REDIS_KINDS = tuple(kind for kind in KINDS if kind.startswith("Redis CLIENT "))
"""Those that a Redis can be told to make, whoever started it."""

SINGLE_KINDS = frozenset({REDIS_KILLED, "Redis SIGSTOP", "Redis CLIENT PAUSE"})
"""Those of one server. With Sentinels there are those of the primary instead; a pause
would stop the Sentinels' own questions as well, and be the same as SIGSTOP."""

GROUP_KINDS = (*FAILOVERS, *GROUP_STRIKES)
SENTINEL_KINDS = (*GROUP_KINDS, *(each for each in KINDS if each not in SINGLE_KINDS))


def can_strike(site: Site, kind: str) -> bool:
    """Tell whether a site has what a fault strikes."""
    if kind in REDIS_KINDS:
        return site.redis() is not None
    return kind in CLIENT_KINDS or all(place.process for place in site.places)


async def strike(site: Site, fault: Fault, until: float) -> Ended | None:
    """Let a fault strike, last and end, once what it strikes is whole again.

    Args:
        site: Where.
        fault: What.
        until: The time after which it is too late: nothing strikes a group then.

    Returns:
        When it was; None if it was too late.

    Raises:
        StartError: A group is not whole, or a process does not start, in time.
        TimeoutError: An earlier fault does not end.
    """
    group = site.group if fault.kind in GROUP_KINDS else None
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(TURN_SECONDS):
            if group is not None:
                await stack.enter_async_context(group.turn)
                await group.whole()
            elif fault.kind.startswith("node "):
                await stack.enter_async_context(site.places[fault.node].turn)
        struck_at = time.monotonic()
        if group is not None and struck_at > until:
            return None
        failover = None
        if group is not None and fault.kind in FAILOVERS:
            begin = FAILOVERS[fault.kind]
            failover = await begin(group, fault.kind, fault.seconds)
        else:
            known = {**STRIKES, **GROUP_STRIKES, TAIL_LOST: _tail_lost}
            await known[fault.kind](site, fault)
        return Ended(fault.kind, struck_at, time.monotonic(), failover)
