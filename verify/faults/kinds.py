"""What can go wrong: each fault strikes, lasts, and ends; then all must be well."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from realtime.start_error import StartError
from verify.deployment import Deployment
from verify.failovers import GROUP_KINDS
from verify.processes import NodeProcess
from verify.proxy import BOTH, Direction, Line
from verify.redis_ways import RedisLine
from verify.site import Site

START_TRIES = 20
"""Starts of a node before it is given up: it ends at once while Redis is away, which
another fault may have seen to."""

START_PAUSE_SECONDS = 0.5
"""Between two of them."""

PAUSE_LOOK_SECONDS = 0.01
"""``CLIENT PAUSE`` takes milliseconds; rounding up costs nothing."""

SLOW_BYTES_PER_SECOND = 20_000
"""A bad mobile line."""

DELAY_SECONDS = 0.15
"""A line to the other side of the world, each way."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: A key of :data:`KINDS`.
        node: Index of the node that it strikes; of no matter for Redis.
        seconds: How long it lasts; some are over at once.
    """

    kind: str
    node: int
    seconds: float


Strike = Callable[[Deployment, Fault], AbstractAsyncContextManager[None]]
RedisStrike = Callable[[Redis, Fault], AbstractAsyncContextManager[None]]
ClientStrike = Callable[[Site, Fault], AbstractAsyncContextManager[None]]


def strike(site: Site, fault: Fault) -> AbstractAsyncContextManager[None]:
    """Let a fault strike at the beginning of the block, and end it at its end.

    Raises:
        ValueError: It strikes what is not of the run's own making.
    """
    if fault.kind in CLIENT_KINDS:
        return CLIENT_KINDS[fault.kind](site, fault)
    if fault.kind in REDIS_KINDS and site.redis is not None:
        return REDIS_KINDS[fault.kind](site.redis, fault)
    if not isinstance(site, Deployment):
        raise ValueError(f"{fault.kind} needs nodes of the run's own")
    if fault.kind in GROUP_KINDS:
        if site.group is None:
            raise ValueError(f"{fault.kind} needs Sentinels")
        begin = GROUP_KINDS[fault.kind]
        note = site.struck_failovers.append
        return begin(site.group, fault.node, fault.seconds, note)
    kind = _tail_lost if fault.kind == TAIL_LOST else OWN_KINDS[fault.kind]
    return kind(site, fault)


def can_strike(site: Site, kind: str) -> bool:
    """Tell whether a site has what a fault strikes."""
    if kind in REDIS_KINDS:
        return site.redis is not None
    return kind in CLIENT_KINDS or bool(site.slots)


@asynccontextmanager
async def _node_killed(deployment: Deployment, fault: Fault) -> AsyncIterator[None]:
    process = deployment.slots[fault.node].process
    async with process.turn:
        await process.kill()
        yield
        await _start(process)


@asynccontextmanager
async def _node_stopped(deployment: Deployment, fault: Fault) -> AsyncIterator[None]:
    process = deployment.slots[fault.node].process
    async with process.turn:
        await process.signal(signal.SIGSTOP)
        yield
        await process.signal(signal.SIGCONT)


@asynccontextmanager
async def _node_drained(deployment: Deployment, fault: Fault) -> AsyncIterator[None]:
    process = deployment.slots[fault.node].process
    async with process.turn:
        await process.signal(signal.SIGTERM)
        yield
        await process.ended()
        await _start(process)


async def _start(process: NodeProcess) -> None:
    for _ in range(START_TRIES - 1):
        try:
            await process.start()
        except StartError:
            await asyncio.sleep(START_PAUSE_SECONDS)
        else:
            return
    await process.start()


@asynccontextmanager
async def _redis_killed(deployment: Deployment, _fault: Fault) -> AsyncIterator[None]:
    await deployment.valkey.kill()
    yield
    await deployment.valkey.start()


@asynccontextmanager
async def _tail_lost(deployment: Deployment, fault: Fault) -> AsyncIterator[None]:
    deployment.valkey.save_tail()
    await asyncio.sleep(fault.seconds)
    await deployment.valkey.kill()
    deployment.valkey.lose_tail()
    yield
    await deployment.valkey.start()


@asynccontextmanager
async def _redis_stopped(deployment: Deployment, _fault: Fault) -> AsyncIterator[None]:
    await deployment.valkey.signal(signal.SIGSTOP)
    yield
    await deployment.valkey.signal(signal.SIGCONT)


@asynccontextmanager
async def _pubsub_killed(redis: Redis, _fault: Fault) -> AsyncIterator[None]:
    await redis.client_kill_filter(_type="pubsub")
    yield


@asynccontextmanager
async def _clients_killed(redis: Redis, _fault: Fault) -> AsyncIterator[None]:
    await redis.client_kill_filter(_type="normal", skipme=True)
    yield


@asynccontextmanager
async def _clients_paused(redis: Redis, fault: Fault) -> AsyncIterator[None]:
    # Redis ends it by itself, this command's own connection is paused as well.
    milliseconds = int((fault.seconds + PAUSE_LOOK_SECONDS) * 1000)
    await redis.client_pause(milliseconds)
    yield


def _told(kind: RedisStrike) -> Strike:
    return lambda deployment, fault: kind(deployment.redis, fault)


def _redis_line(line: Line | None = None, *ways: Direction) -> Strike:
    @asynccontextmanager
    async def struck(deployment: Deployment, fault: Fault) -> AsyncIterator[None]:
        async with _spoilt(deployment.slots[fault.node].redis_line, line, ways):
            yield

    return struck


def _client_line(line: Line | None = None, *ways: Direction) -> ClientStrike:
    @asynccontextmanager
    async def struck(site: Site, fault: Fault) -> AsyncIterator[None]:
        async with _spoilt(site.places[fault.node].client_line, line, ways):
            yield

    return struck


@asynccontextmanager
async def _spoilt(
    proxy: RedisLine, line: Line | None, ways: Iterable[Direction]
) -> AsyncIterator[None]:
    """Spoil a line for a while; without one reset it, or cut it in the next bytes."""
    if line is not None:
        await proxy.set_line(line)
    elif ways:
        for way in ways:
            await proxy.cut_in_mid_frame(way)
    else:
        proxy.reset()
    try:
        yield
    finally:
        if line is not None:
            await proxy.set_line(Line())


_STALLED = Line(stalled=BOTH)
_NOT_READING = Line(stalled=frozenset({Direction.DOWN}))
_BLACK_HOLE = Line(swallowing=True)
_SLOW = Line(bytes_per_second=SLOW_BYTES_PER_SECOND)
_LATE = Line(delay_seconds=DELAY_SECONDS)

REDIS_KINDS: dict[str, RedisStrike] = {
    "Redis CLIENT KILL pubsub": _pubsub_killed,
    "Redis CLIENT KILL normal": _clients_killed,
    "Redis CLIENT PAUSE": _clients_paused,
}
"""Faults that a Redis can be told to make, whoever started it."""

REDIS_KILLED = "Redis SIGKILL"

OWN_KINDS: dict[str, Strike] = {
    "node SIGKILL": _node_killed,
    "node SIGSTOP": _node_stopped,
    "node SIGTERM": _node_drained,
    REDIS_KILLED: _redis_killed,
    "Redis SIGSTOP": _redis_stopped,
    "Redis CLIENT KILL pubsub": _told(_pubsub_killed),
    "Redis CLIENT KILL normal": _told(_clients_killed),
    "Redis CLIENT PAUSE": _told(_clients_paused),
    "node-Redis stall": _redis_line(_STALLED),
    "node-Redis answers stall": _redis_line(_NOT_READING),
    "node-Redis black hole": _redis_line(_BLACK_HOLE),
    "node-Redis reset": _redis_line(),
    "node-Redis cut in an answer": _redis_line(None, Direction.DOWN),
    "node-Redis cut in a command": _redis_line(None, Direction.UP),
    "node-Redis delay": _redis_line(_LATE),
    "node-Redis throttle": _redis_line(_SLOW),
}
"""Faults of nodes and Redis that the run itself started."""

CLIENT_KINDS: dict[str, ClientStrike] = {
    "client-node stall": _client_line(_STALLED),
    "client-node not reading": _client_line(_NOT_READING),
    "client-node black hole": _client_line(_BLACK_HOLE),
    "client-node reset": _client_line(),
    "client-node cut in an event": _client_line(None, Direction.DOWN),
    "client-node cut in a request": _client_line(None, Direction.UP),
    "client-node delay": _client_line(_LATE),
    "client-node throttle": _client_line(_SLOW),
}
"""Faults between clients and nodes, whoever started these."""

TAIL_LOST = "Redis tail lost"
"""Redis ends and comes back without its last seconds: what was acknowledged in them is
gone, and clients have to be told. Not among :data:`KINDS`."""

KINDS = (*OWN_KINDS, *CLIENT_KINDS)
"""Every kind of fault of nodes on one Valkey, by the name it has in reports."""

SINGLE_KINDS = frozenset({"Redis SIGKILL", "Redis SIGSTOP", "Redis CLIENT PAUSE"})
"""Faults of one server. With Sentinels there are those of the primary instead; a pause
would stop the Sentinels' own questions as well, and be the same as SIGSTOP."""

SENTINEL_KINDS = (*GROUP_KINDS, *(each for each in KINDS if each not in SINGLE_KINDS))
"""Every kind of fault of nodes on a primary with replicas under Sentinels."""

TURN_SECONDS = 60.0
"""Deadline until a group is whole again after a fault of it."""


@asynccontextmanager
async def turn(site: Site, fault: Fault) -> AsyncIterator[None]:
    """Wait until what a fault strikes is whole again after an earlier one.

    Raises:
        StartError: It is not in time.
        TimeoutError: An earlier fault does not end.
    """
    group = site.group if isinstance(site, Deployment) else None
    if group is None or fault.kind not in GROUP_KINDS:
        yield
        return
    async with asyncio.timeout(TURN_SECONDS):
        await group.turn.acquire()
    try:
        await group.whole()
        yield
    finally:
        group.turn.release()


async def last(site: Site, fault: Fault) -> None:
    """Let a fault strike, last, and end."""
    async with strike(site, fault):
        await asyncio.sleep(fault.seconds)
