"""Every kind of fault: it strikes, lasts, and ends; then all must be well."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from realtime.start_error import StartError
from verify.faults.failovers import Failover
from verify.faults.group import GROUP_STRIKES
from verify.harness.nodes import NodeProcess
from verify.harness.proxy import BOTH, Direction, FaultProxy, Line
from verify.harness.site import Place, Site
from verify.harness.valkey import Valkey

START_TRIES = 20
"""Starts of a node before it is given up: it ends at once while Redis is away, which
another fault may have seen to."""

START_PAUSE_SECONDS = 0.5
"""Between two of them."""

PAUSE_LOOK_SECONDS = 0.01
"""``CLIENT PAUSE`` takes milliseconds; rounding up costs nothing."""

TURN_SECONDS = 60.0
"""Deadline until a group is whole again after a fault of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: A key of :data:`STRIKES`.
        node: Index of the node that it strikes; of no matter for Redis.
        seconds: How long it lasts; some are over at once.
    """

    kind: str
    node: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A fault that is over, and the failover that it led to; the histories' clock."""

    kind: str
    struck_at: float
    ended_at: float
    failover: Failover | None = None


Strike = Callable[[Site, Fault], Awaitable[None]]
"""Lets a fault strike, last and end."""


def _node_gone(farewell: signal.Signals) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        place, process = _own(site, fault)
        async with place.turn:
            process.signal(farewell)
            await asyncio.sleep(fault.seconds)
            await process.ended()
            await _start(process)

    return struck


async def _node_stopped(site: Site, fault: Fault) -> None:
    place, process = _own(site, fault)
    async with place.turn:
        process.pause()
        await asyncio.sleep(fault.seconds)
        process.resume()


def _own(site: Site, fault: Fault) -> tuple[Place, NodeProcess]:
    place = site.places[fault.node]
    if place.process is None:
        raise ValueError(f"{fault.kind} needs nodes of the run's own")
    return place, place.process


async def _start(process: NodeProcess) -> None:
    for tries_left in reversed(range(START_TRIES)):
        process.start()
        try:
            await process.ready()
        except StartError:
            process.kill()
            if not tries_left:
                raise
            await asyncio.sleep(START_PAUSE_SECONDS)
        else:
            return


async def _valkey_killed(site: Site, fault: Fault) -> None:
    valkey = _valkey(site)
    valkey.kill()
    await asyncio.sleep(fault.seconds)
    valkey.start()
    await valkey.ready()


async def _tail_lost(site: Site, fault: Fault) -> None:
    valkey = _valkey(site)
    valkey.keep()
    await asyncio.sleep(fault.seconds)
    valkey.go_back()
    await _valkey_killed(site, fault)


async def _valkey_stopped(site: Site, fault: Fault) -> None:
    valkey = _valkey(site)
    valkey.pause()
    await asyncio.sleep(fault.seconds)
    valkey.resume()


def _valkey(site: Site) -> Valkey:
    if site.valkey is None:
        raise ValueError("a fault of Redis needs a Valkey of the run's own")
    return site.valkey


def _connections_killed(kind: str) -> Strike:
    async def struck(site: Site, _fault: Fault) -> None:
        if (redis := site.redis()) is not None:
            await redis.client_kill_filter(_type=kind, skipme=True)

    return struck


async def _connections_paused(site: Site, fault: Fault) -> None:
    if (redis := site.redis()) is not None:
        # Redis ends it by itself: this command's own connection is paused as well.
        await redis.client_pause(int((fault.seconds + PAUSE_LOOK_SECONDS) * 1000))
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
    async def cut(proxy: FaultProxy, _seconds: float) -> None:
        await proxy.cut_in_mid_frame(direction)

    return cut


def _client_line(spoil: Spoil) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        await spoil(site.places[fault.node].client_line, fault.seconds)

    return struck


def _redis_lines(spoil: Spoil) -> Strike:
    async def struck(site: Site, fault: Fault) -> None:
        lines = site.places[fault.node].redis_lines
        await asyncio.gather(*(spoil(line, fault.seconds) for line in lines))

    return struck


_STALL = _spoilt(Line(stalled=BOTH))
_NOT_READING = _spoilt(Line(stalled=frozenset({Direction.DOWN})))
_BLACK_HOLE = _spoilt(Line(swallowing=True))
# A line to the other side of the world, each way; and a bad mobile one.
_DELAY = _spoilt(Line(delay_seconds=0.15))
_THROTTLE = _spoilt(Line(bytes_per_second=20_000))

REDIS_KILLED = "Redis SIGKILL"

TAIL_LOST = "Redis tail lost"
"""Redis ends and comes back without its last seconds: what was acknowledged in them is
gone, and clients have to be told. Not among :data:`KINDS`."""

STRIKES: Mapping[str, Strike] = {
    "node SIGKILL": _node_gone(signal.SIGKILL),
    "node SIGSTOP": _node_stopped,
    "node SIGTERM": _node_gone(signal.SIGTERM),
    REDIS_KILLED: _valkey_killed,
    "Redis SIGSTOP": _valkey_stopped,
    "Redis CLIENT KILL pubsub": _connections_killed("pubsub"),
    "Redis CLIENT KILL normal": _connections_killed("normal"),
    "Redis CLIENT PAUSE": _connections_paused,
    "node-Redis stall": _redis_lines(_STALL),
    "node-Redis answers stall": _redis_lines(_NOT_READING),
    "node-Redis black hole": _redis_lines(_BLACK_HOLE),
    "node-Redis reset": _redis_lines(_reset),
    "node-Redis cut in an answer": _redis_lines(_cut(Direction.DOWN)),
    "node-Redis cut in a command": _redis_lines(_cut(Direction.UP)),
    "node-Redis delay": _redis_lines(_DELAY),
    "node-Redis throttle": _redis_lines(_THROTTLE),
    "client-node stall": _client_line(_STALL),
    "client-node not reading": _client_line(_NOT_READING),
    "client-node black hole": _client_line(_BLACK_HOLE),
    "client-node reset": _client_line(_reset),
    "client-node cut in an event": _client_line(_cut(Direction.DOWN)),
    "client-node cut in a request": _client_line(_cut(Direction.UP)),
    "client-node delay": _client_line(_DELAY),
    "client-node throttle": _client_line(_THROTTLE),
    TAIL_LOST: _tail_lost,
}
"""Faults of nodes on one Redis, by the name that they have in reports."""

KINDS = tuple(kind for kind in STRIKES if kind != TAIL_LOST)
CLIENT_KINDS = tuple(kind for kind in KINDS if kind.startswith("client-node "))
"""Those between clients and nodes, whoever started these."""

REDIS_KINDS = tuple(kind for kind in KINDS if kind.startswith("Redis CLIENT "))
"""Those that a Redis can be told to make, whoever started it."""

SINGLE_KINDS = frozenset({REDIS_KILLED, "Redis SIGSTOP", "Redis CLIENT PAUSE"})
"""Those of one server. With Sentinels there are those of the primary instead; a pause
would stop the Sentinels' own questions as well, and be the same as SIGSTOP."""

SENTINEL_KINDS = (*GROUP_STRIKES, *(each for each in KINDS if each not in SINGLE_KINDS))


def can_strike(site: Site, kind: str) -> bool:
    """Tell whether a site has what a fault strikes."""
    if kind in REDIS_KINDS:
        return site.redis() is not None
    return kind in CLIENT_KINDS or all(place.process for place in site.places)


async def strike(site: Site, fault: Fault, until: float) -> Ended | None:
    """Let a fault strike, last and end; a group has to be whole again first.

    Args:
        site: What it strikes.
        fault: What it is.
        until: The time after which it is too late: nothing strikes then.

    Returns:
        When it was; None if it was too late.

    Raises:
        StartError: A group is not whole, or a process does not start, in time.
        TimeoutError: An earlier fault does not end.
    """
    if site.group is None or fault.kind not in GROUP_STRIKES:
        struck_at = time.monotonic()
        await STRIKES[fault.kind](site, fault)
        return Ended(fault.kind, struck_at, time.monotonic())
    async with asyncio.timeout(TURN_SECONDS):
        await site.group.turn.acquire()
    try:
        await site.group.whole()
        struck_at = time.monotonic()
        if struck_at > until:
            return None
        begin = GROUP_STRIKES[fault.kind]
        failover = await begin(site.group, fault.node, fault.seconds)
        return Ended(fault.kind, struck_at, time.monotonic(), failover)
    finally:
        site.group.turn.release()
