"""Latency, CPU and bytes of five designs, and what each loses over a reconnect.

``python -m benchmarks.designs``: 100 rooms of ten, texts of 100 characters, an even
pace. The server has one core; what else it needs, and the members, have the other. The
designs take turns. RabbitMQ is left out where it is not installed.
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import ClientSession, TCPConnector

from benchmarks.cluster import cluster
from benchmarks.designs.members import (
    ChatMember,
    Member,
    PlainMember,
    StompMember,
    chat_url,
)
from benchmarks.designs.posting import POLL_SECONDS, PollingMember, PostingChatMember
from benchmarks.designs.rabbitmq import is_installed, running_rabbitmq
from benchmarks.machine import LOAD_CORE, SERVER_CORE, cpu_seconds, describe
from benchmarks.processes import (
    free_port,
    raise_descriptor_limit,
    running,
    wait_ready,
)
from benchmarks.tokens import token

MEMBERS = 10
TEXT_CHARACTERS = 100
WARM_SECONDS = 3.0
MEASURED_SECONDS = 10.0
# How long members are cut off, and how many of them.
AWAY_SECONDS = 3.0
AWAY_MEMBERS = 20
# For what is on its way at the end; an answer to a poll takes as long.
REST_SECONDS = 2 * POLL_SECONDS


class Serving(NamedTuple):
    """What serves a design: the processes that take CPU, and how members reach it."""

    pid: int
    redis_pid: int | None
    port: int


class Figures(NamedTuple):
    """What one run of a design gave."""

    p50_ms: float
    p99_ms: float
    cpu_us: float
    redis_us: float
    wire_bytes: float
    lost: float


class Ears:
    """When each text was sent, and who heard it how much later."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.waits: list[float] = []
        self.heard: dict[str, set[str]] = defaultdict(set)
        self.counts = False

    def hear(self, user: str, text: str) -> None:
        """Take a message that a member was shown."""
        name = text.partition(" ")[0]
        if self.counts and name in self.sent and user not in self.heard[name]:
            self.waits.append(time.perf_counter() - self.sent[name])
        self.heard[name].add(user)


@contextlib.contextmanager
def _chatroom(folder: Path) -> Iterator[Serving]:
    settings = {"CHATROOM_RATES": "off", "CHATROOM_OPEN_ROOMS": "true"}
    with cluster(1, folder, settings=settings) as made:
        node = made.nodes[0]
        yield Serving(node.process.pid, made.redis.pid, node.port)


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[Serving]:
    port = free_port()
    command = (sys.executable, "-m", "benchmarks.designs.plain_socket", str(port))
    with running(command, core=SERVER_CORE, log=folder / "log") as server:
        wait_ready(server, port, None)
        yield Serving(server.pid, None, port)


@contextlib.contextmanager
def _rabbitmq(folder: Path) -> Iterator[Serving]:
    with running_rabbitmq(folder, SERVER_CORE) as (pid, port):
        yield Serving(pid, None, port)


Make = Callable[[ClientSession, int, str, str, Callable[[str, str], None]], Member]


class Design(NamedTuple):
    """A way to build a chat."""

    serving: Callable[[Path], contextlib.AbstractContextManager[Serving]]
    member: Make


_turns = itertools.count()

DESIGNS: dict[str, Design] = {
    "POST, and polling each second": Design(
        _chatroom,
        lambda http, port, room, user, heard: PollingMember(
            http,
            port,
            room,
            user,
            delay=next(_turns) % 1000 / 1000 * POLL_SECONDS,
            heard=heard,
        ),
    ),
    "POST, and receiving by WebSocket": Design(
        _chatroom,
        PostingChatMember,
    ),
    "STOMP over WebSocket (RabbitMQ)": Design(
        _rabbitmq,
        lambda http, port, room, user, heard: StompMember(
            http, f"ws://127.0.0.1:{port}/ws", room, user, heard
        ),
    ),
    "WebSocket alone": Design(
        _plain,
        lambda http, port, room, user, heard: PlainMember(
            http,
            f"ws://127.0.0.1:{port}/?room={room}&token={token(user)}",
            room,
            user,
            heard,
        ),
    ),
    "this server": Design(
        _chatroom,
        lambda http, port, room, user, heard: ChatMember(
            http, chat_url(port), room, user, heard
        ),
    ),
}


async def _talk(
    members: Sequence[Member], ears: Ears, rate: float, seconds: float
) -> int:
    """Have members of all rooms send in turn; return how many messages that was."""
    began, sending = time.perf_counter(), set()
    total = int(rate * seconds)
    for number in range(total):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        # One of each room, then the next one of each.
        at = number * MEMBERS % len(members) + number * MEMBERS // len(members)
        name = f"m{len(ears.sent)}"
        text = f"{name} ".ljust(TEXT_CHARACTERS, "x")
        ears.sent[name] = time.perf_counter()
        task = asyncio.create_task(members[at % len(members)].send(text))
        sending.add(task)
        task.add_done_callback(sending.discard)
    await asyncio.gather(*sending)
    return total


async def _cut_some(members: Sequence[Member], ears: Ears, rate: float) -> float:
    """Cut members off while others talk; return the share of it that they never saw."""
    rooms = [members[at : at + MEMBERS] for at in range(0, len(members), MEMBERS)]
    chosen = rooms[:: max(1, len(rooms) // AWAY_MEMBERS)][:AWAY_MEMBERS]
    away = [room[-1] for room in chosen]
    first = len(ears.sent)
    await asyncio.gather(*(each.cut() for each in away))
    talking = [room[:-1] for room in chosen]
    # Of each room the first: who is away says nothing.
    speakers = [room[0] for room in talking]
    began = time.perf_counter()
    said: list[tuple[str, Member]] = []
    for number in range(int(rate * AWAY_SECONDS)):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        at = number % len(speakers)
        name = f"m{first + number}"
        ears.sent[name] = time.perf_counter()
        await speakers[at].send(f"{name} ".ljust(TEXT_CHARACTERS, "x"))
        said.append((name, away[at]))
    await asyncio.gather(*(each.enter() for each in away))
    await asyncio.sleep(REST_SECONDS)
    missed = sum(each.user not in ears.heard[name] for name, each in said)
    return missed / len(said)


async def _run(design: Design, serving: Serving, rooms: int, rate: float) -> Figures:
    ears, this_run = Ears(), asyncio.current_task()

    def fail(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # The first says it all.
        loop.set_exception_handler(lambda _loop, _context: None)
        print(context.get("exception") or context["message"], file=sys.stderr)
        assert this_run is not None
        this_run.cancel()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fail)
    async with ClientSession(connector=TCPConnector(limit=0)) as http:
        members = [
            design.member(http, serving.port, f"r{room}", f"r{room}u{each}", ears.hear)
            for room in range(rooms)
            for each in range(MEMBERS)
        ]
        for at in range(0, len(members), 20):
            await asyncio.gather(*(each.enter() for each in members[at : at + 20]))
        await _talk(members, ears, rate, WARM_SECONDS)
        await asyncio.sleep(REST_SECONDS)
        carried = sum(each.wire_bytes() for each in members)
        cpu = cpu_seconds(serving.pid)
        redis = cpu_seconds(serving.redis_pid) if serving.redis_pid else 0.0
        ears.counts = True
        count = await _talk(members, ears, rate, MEASURED_SECONDS)
        await asyncio.sleep(REST_SECONDS)
        ears.counts = False
        cpu = cpu_seconds(serving.pid) - cpu
        redis = cpu_seconds(serving.redis_pid) - redis if serving.redis_pid else 0.0
        carried = sum(each.wire_bytes() for each in members) - carried
        if len(ears.waits) != count * MEMBERS:
            raise RuntimeError(f"{len(ears.waits)} arrived of {count * MEMBERS}")
        lost = await _cut_some(members, ears, rate)
        await asyncio.gather(*(each.leave() for each in members))
    waits = sorted(ears.waits)
    return Figures(
        p50_ms=1000 * waits[len(waits) // 2],
        p99_ms=1000 * waits[len(waits) * 99 // 100],
        cpu_us=1e6 * cpu / count,
        redis_us=1e6 * redis / count,
        wire_bytes=carried / count,
        lost=lost,
    )


def _table(found: dict[str, list[Figures]]) -> str:
    head = (
        "| design | p50 ms | p99 ms | CPU, µs a message | Redis, µs | bytes a message |"
        " lost of what was said while away |"
    )
    rows = [head, "|---" * 7 + "|"]
    for name, rounds in found.items():
        middle = Figures(
            *(statistics.median(each) for each in zip(*rounds, strict=True))
        )
        rows.append(
            f"| {name} | {middle.p50_ms:.1f} | {middle.p99_ms:.1f} |"
            f" {middle.cpu_us:.0f} | {middle.redis_us:.0f} |"
            f" {middle.wire_bytes:,.0f} | {middle.lost:.0%} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure, and print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rooms", type=int, default=100)
    given.add_argument("--rate", type=float, default=100.0, help="messages a second")
    given.add_argument("--rounds", type=int, default=3)
    given.add_argument("--designs", nargs="+", choices=[*DESIGNS], default=[*DESIGNS])
    asked = given.parse_args()
    raise_descriptor_limit()
    os.sched_setaffinity(0, {LOAD_CORE})
    found: dict[str, list[Figures]] = {}
    for _ in range(asked.rounds):
        for name in asked.designs:
            if "RabbitMQ" in name and not is_installed():
                print("RabbitMQ is not installed, and left out.", file=sys.stderr)
                continue
            with (
                tempfile.TemporaryDirectory(prefix="chatroom-designs-") as folder,
                DESIGNS[name].serving(Path(folder)) as serving,
            ):
                run = _run(DESIGNS[name], serving, asked.rooms, asked.rate)
                found.setdefault(name, []).append(asyncio.run(run))
                print(name, found[name][-1], file=sys.stderr, flush=True)
    print(describe())
    print(_table(found))


if __name__ == "__main__":
    main()
