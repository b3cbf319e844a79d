"""What a list of rooms costs, and that a send pays nothing for who lists its room.

``python -m benchmarks.lists`` takes a minute: a node on one core, Valkey and clients
on another. It prints the tables of docs/benchmarks.md.
"""

import asyncio
import statistics
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import Mock

import socketio

from benchmarks.machine import cpu_seconds
from benchmarks.processes import free_port, running, running_valkey, wait_ready
from benchmarks.recovery import percentile
from benchmarks.servers import CHATROOM, chatroom_environment
from benchmarks.tokens import token
from realtime import json_codec
from realtime.redis.client import RedisClient
from realtime.redis.url import connection_factory
from realtime.rooms.watch import Watch
from realtime.store import scripts
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog

NODE_CORE, OTHER_CORE = 0, 1

LISTED_ROOMS = 1_000
PAGE_ROOMS = 100
LISTS = 200
WARM_LISTS = 5

SMALL_MEMBERS, LARGE_MEMBERS = 10, 10_000
# Sends of one measurement, and how many are on their way at once.
SENDS, AT_ONCE = 1_000, 16
ROUNDS = 9
WATCHERS = 500

# For the bytes of one user's watching one room.
MEASURED_USERS, MEASURED_ROOMS = 1_000, 200

NAMESPACE = "/chat"


class Scene(NamedTuple):
    """A node, its Redis, and what fills it."""

    url: str
    node_pid: int
    redis_pid: int
    memberships: Memberships
    log: MessageLog


class Cost(NamedTuple):
    """Microseconds of CPU that a send takes."""

    redis_us: float
    node_us: float


async def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="chatroom-lists-") as folder:
        async with _scene(Path(folder)) as scene:
            await _measure_lists(scene)
            await _measure_sends(scene)
    _measure_memory()


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Scene]:
    with running_valkey(folder, OTHER_CORE) as (valkey, redis_port):
        redis_url = f"redis://127.0.0.1:{redis_port}/0"
        port = free_port()
        environment = {
            **chatroom_environment(redis_url, folder),
            "CHATROOM_RATES": "off",
            "CHATROOM_ADDRESS_SESSIONS": "10000",
            "CHATROOM_ADDRESS_UNAUTHENTICATED": "10000",
        }
        command = [*CHATROOM, "--port", str(port)]
        with running(
            command, core=NODE_CORE, log=folder / "node.log", environment=environment
        ) as node:
            wait_ready(node, port, "/readyz")
            redis = RedisClient(
                connection_factory(redis_url, timeout_seconds=10),
                timeout_seconds=10,
                limit_calls=100_000,
                scripts=scripts.ALL,
            )
            redis.start()
            memberships = Memberships(
                redis, user_rooms_limit=10_000, empty_room_seconds=3_600
            )
            log = MessageLog(
                redis,
                remember_seconds=3_600,
                log_limit=10_000,
                log_age_ms=3_600_000,
                history_limit=10_000,
            )
            try:
                yield Scene(
                    f"http://127.0.0.1:{port}", node.pid, valkey.pid, memberships, log
                )
            finally:
                await redis.aclose()


@asynccontextmanager
async def _client(scene: Scene, user: str) -> AsyncIterator[socketio.AsyncClient]:
    sio = socketio.AsyncClient(reconnection=False, json=json_codec)
    await sio.connect(
        scene.url,
        namespaces=[NAMESPACE],
        auth={"token": token(user)},
        transports=["websocket"],
        wait_timeout=10,
    )
    try:
        yield sio
    finally:
        await sio.shutdown()


async def _ask(sio: socketio.AsyncClient, event: str, payload: object) -> Any:
    ack = await sio.call(event, payload, namespace=NAMESPACE, timeout=10)
    if not ack["ok"]:
        raise RuntimeError(f"{event}: {ack['error']}")
    return ack


async def _fill(scene: Scene, room: str, users: list[str], *, listed: bool) -> None:
    """Make users members of a room; on their own lists as well if asked to."""
    for start in range(0, len(users), 500):
        together = users[start : start + 500]
        if listed:
            await asyncio.gather(*(scene.memberships.claim(room, u) for u in together))
        await asyncio.gather(*(scene.memberships.admit(room, u) for u in together))


async def _measure_lists(scene: Scene) -> None:
    rooms = [f"room-{number}" for number in range(LISTED_ROOMS)]
    for room in rooms:
        await _fill(scene, room, ["ann", "bob"], listed=True)
        await scene.log.append(
            room=room,
            user="bob",
            client_id="1",
            content={"type": "text", "text": f"the newest message of {room}, " * 2},
        )
    print(f"| list of {LISTED_ROOMS:,} rooms | p50 | p99 |")
    print("| --- | --- | --- |")
    async with _client(scene, "ann") as ann:
        await _time_lists(scene, ann, "without `me`")
        await _ask(ann, "me", {})
        await _time_lists(scene, ann, "with `me`")
    print()


async def _time_lists(scene: Scene, ann: socketio.AsyncClient, how: str) -> None:
    whole: list[float] = []
    first: list[float] = []
    for _ in range(WARM_LISTS):
        await _list(ann)
    cpu, own = cpu_seconds(scene.node_pid), time.process_time()
    for _ in range(LISTS):
        times = await _list(ann)
        first.append(times[0])
        whole.append(sum(times))
    cpu, own = cpu_seconds(scene.node_pid) - cpu, time.process_time() - own
    for name, times in (("all pages", whole), ("first page", first)):
        times.sort()
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        print(f"| {how}: {name}, ms | {1000 * p50:.1f} | {1000 * p99:.1f} |")
    print(f"| {how}: node CPU a list, ms | {1000 * cpu / LISTS:.1f} | |")
    print(f"| {how}: the client's own CPU a list, ms | {1000 * own / LISTS:.1f} | |")


async def _list(sio: socketio.AsyncClient) -> list[float]:
    """List all rooms; return the seconds that each page took."""
    times: list[float] = []
    found, asked = 0, {"sort": "recent", "limit": PAGE_ROOMS}
    while True:
        begun = time.perf_counter()
        page = await _ask(sio, "rooms", asked)
        times.append(time.perf_counter() - begun)
        found += len(page["rooms"])
        if not page["more"]:
            break
        asked = {**asked, "cursor": page["next"]}
    if found != LISTED_ROOMS:
        raise RuntimeError(f"{found} rooms were listed")
    return times


async def _measure_sends(scene: Scene) -> None:
    sizes = {"small": SMALL_MEMBERS, "large": LARGE_MEMBERS}
    for room, size in sizes.items():
        users = ["writer", *(f"user-{number}" for number in range(size - 1))]
        # Who watches has it on their list.
        await _fill(scene, room, users[: WATCHERS + 1], listed=True)
        await _fill(scene, room, users[WATCHERS + 1 :], listed=False)
    async with _client(scene, "writer") as writer:
        for room in sizes:
            await _ask(writer, "join", {"room": room})
        alone = await _costs(scene, writer, [*sizes])
        async with AsyncExitStack() as stack:
            heard: Counter[str] = Counter()
            for number in range(WATCHERS):
                watcher = await stack.enter_async_context(
                    _client(scene, f"user-{number}")
                )

                async def take(event: str, *_payload: object) -> None:
                    heard[event] += 1

                watcher.on("*", take, namespace=NAMESPACE)
                await _ask(watcher, "me", {})
            watched = await _costs(scene, writer, [*sizes])
    print("| a send, µs of CPU (median of rounds) | Redis | node |")
    print("| --- | --- | --- |")
    for room, size in sizes.items():
        print(f"| into a room of {size:,} | {_shown(alone[room])} |")
    print(f"| ratio, median of rounds | {_ratio(alone['large'], alone['small'])} |")
    for room, size in sizes.items():
        count = min(size, WATCHERS)
        print(f"| {size:,}, watched by {count:,} online | {_shown(watched[room])} |")
    told = heard["rooms_changed"] / (2 * ROUNDS * SENDS)
    print(f"\n`rooms_changed` a send, over all watchers: {told:.2f}\n")


async def _costs(
    scene: Scene, writer: socketio.AsyncClient, rooms: list[str]
) -> dict[str, list[Cost]]:
    """Measure the rooms in turns, for what else the machine does meanwhile."""
    found: dict[str, list[Cost]] = {room: [] for room in rooms}
    for _ in range(ROUNDS):
        for room in rooms:
            found[room].append(await _cost(scene, writer, room))
    return found


async def _cost(scene: Scene, writer: socketio.AsyncClient, room: str) -> Cost:
    slots = asyncio.Semaphore(AT_ONCE)

    async def send(number: int) -> None:
        async with slots:
            name = f"{time.monotonic_ns()}-{number}"
            text = {"room": room, "clientId": name, "type": "text", "text": "hello"}
            await _ask(writer, "send", text)

    redis, node = cpu_seconds(scene.redis_pid), cpu_seconds(scene.node_pid)
    await asyncio.gather(*(send(number) for number in range(SENDS)))
    return Cost(
        1e6 * (cpu_seconds(scene.redis_pid) - redis) / SENDS,
        1e6 * (cpu_seconds(scene.node_pid) - node) / SENDS,
    )


def _shown(costs: list[Cost]) -> str:
    redis = statistics.median(each.redis_us for each in costs)
    node = statistics.median(each.node_us for each in costs)
    return f"{redis:.1f} | {node:.1f}"


def _ratio(large: list[Cost], small: list[Cost]) -> str:
    """Return the median of the rounds' ratios: neighbours in time."""
    pairs = list(zip(large, small, strict=True))
    redis = statistics.median(one.redis_us / two.redis_us for one, two in pairs)
    node = statistics.median(one.node_us / two.node_us for one, two in pairs)
    return f"{redis:.2f} | {node:.2f}"


def _measure_memory() -> None:
    """Print what a node keeps for users who watch rooms, by tracemalloc."""
    feeds: Any = Mock(watch=lambda _channel: None)
    watch = Watch(feeds, limit=MEASURED_ROOMS, limited=Counter())
    rooms = [f"room-{number}" for number in range(MEASURED_ROOMS)]
    users = [f"user-{number}" for number in range(MEASURED_USERS)]
    tracemalloc.start()
    for user in users:
        watch.hold(user)
    for room in rooms:
        watch.add(users[0], room)
    before, _ = tracemalloc.get_traced_memory()
    for user in users[1:]:
        for room in rooms:
            watch.add(user, room)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    pairs = (MEASURED_USERS - 1) * MEASURED_ROOMS
    each = (after - before) / pairs
    print(f"bytes for a room on a user's list, at the node: {each:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
