"""What workers cost and bring: ``python -m benchmarks.workers``, docs/benchmarks.md.

The workers share one core, Valkey and the load the other, so that what a message costs
all of them together is measured; what each would carry on a core of its own follows.
Besides, both cores for all: what two workers carry there, beside one. And the death of
a worker: what the sessions of the others feel of it.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.load_generator import (
    BUILD,
    Figures,
    LoadGenerator,
    compile_programs,
)
from benchmarks.machine import LOAD_CORE, SERVER_CORE, cpu_seconds, describe
from benchmarks.processes import raise_descriptor_limit, running, running_valkey
from benchmarks.servers import chatroom_environment
from benchmarks.tokens import write_tokens
from verify.harness.nodes import NodeProcess

PARTS: Final = ("costs", "rates", "death")
COUNTS: Final = (1, 2, 4)
SESSIONS: Final = 400
ROOM_SESSIONS: Final = 10
ROOMS: Final = SESSIONS // ROOM_SESSIONS

# Case B: as many messages in flight as a busy server has; case D2: one now and then.
MODES: Final = {"B": f"closed {4 * ROOMS}", "D2": "rate 200"}

# For all workers to serve, one core for all of them.
START_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.05

# For all workers to go, with hundreds of sessions.
STOP_SECONDS: Final = 30.0

# Longest delivery, of 99 in 100, that a person does not feel.
P99_MS: Final = 50.0
# The first rate that is tried, and how much more each time, in messages a second.
FIRST_RATE: Final = 50
GROWTH: Final = 1.3


@dataclass(frozen=True, slots=True)
class Served:
    """A server with workers, and the load generator that is connected to it.

    Attributes:
        node: Its first process.
        load: The load generator.
        connected: What the connects said of themselves.
        connect_us: CPU of the server for each session that connected and joined.
    """

    node: NodeProcess
    load: LoadGenerator
    connected: Figures
    connect_us: float

    @property
    def pids(self) -> list[int]:
        """The processes that serve."""
        return pids_of(self.node)

    def cpu(self) -> float:
        """Return the CPU seconds of all processes of the server but Valkey."""
        return cpu_of(self.node)

    def spread(self) -> list[float]:
        """Return how many sessions each worker has."""
        url = f"{self.node.url}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return [
            float(line.split()[-1])
            for line in lines
            if line.startswith(("chatroom_sessions{", "chatroom_sessions "))
        ]


def pids_of(node: NodeProcess) -> list[int]:
    """Return the processes of a node that serve: its workers, or itself."""
    pid = node.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in children] or [pid]


def cpu_of(node: NodeProcess) -> float:
    """Return the CPU seconds of a node's processes."""
    return sum(map(cpu_seconds, {node.process.pid, *pids_of(node)}))


@contextlib.contextmanager
def served(count: int, folder: Path, *, pinned: bool) -> Iterator[Served]:
    """Run a server with so many workers and connect the sessions.

    Args:
        count: How many workers; 1: one process, as without the setting.
        folder: For data and logs.
        pinned: Whether it has a core of its own; otherwise all share both.
    """
    program, _raw = compile_programs(BUILD)
    tokens = write_tokens(folder / "tokens", (f"u{i}" for i in range(2 * SESSIONS)))
    cores = {SERVER_CORE} if pinned else {SERVER_CORE, LOAD_CORE}
    with contextlib.ExitStack() as stack:
        valkey, port = stack.enter_context(running_valkey(folder, LOAD_CORE))
        if not pinned:
            os.sched_setaffinity(valkey.pid, cores)
        node = NodeProcess(
            *("--workers", str(count)),
            log=folder / f"workers-{count}.log",
            environment=chatroom_environment(f"redis://127.0.0.1:{port}", folder),
        )
        node.start()
        stack.callback(_stop, node)
        # Before it starts others: they may use no more than it.
        os.sched_setaffinity(node.process.pid, cores)
        _wait_until_ready(node)
        process = stack.enter_context(
            running(
                [str(program), str(node.port), str(tokens), "10000", "100"],
                core=LOAD_CORE,
                log=folder / "load.log",
                piped=True,
            )
        )
        if not pinned:
            os.sched_setaffinity(process.pid, cores)
        load = LoadGenerator(process)
        # Each worker's first sessions cost more: its code has never run.
        load.connect(SESSIONS, ROOMS, "warm-")
        before = cpu_of(node)
        connected = load.connect(SESSIONS, ROOMS, "w-")
        spent = cpu_of(node) - before
        yield Served(node, load, connected, spent * 1e6 / SESSIONS)


def _wait_until_ready(node: NodeProcess) -> None:
    until = time.monotonic() + START_SECONDS
    while not node.is_serving():
        if not node.running or time.monotonic() > until:
            raise RuntimeError(f"the server does not start:\n{node.output}")
        time.sleep(POLL_SECONDS)


def _stop(node: NodeProcess) -> None:
    node.signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        node.process.wait(STOP_SECONDS)
    node.kill()


def costs(count: int, folder: Path, seconds: float) -> Figures:
    """Return what a message costs all workers together, in microseconds."""
    with served(count, folder, pinned=True) as server:
        found: Figures = {
            "connect": server.connect_us,
            "sessions": server.spread(),
        }
        group = server.connected["group"]
        for name, mode in MODES.items():
            server.load.mode(group, mode)
            server.load.run(1.0)
            before = server.cpu()
            figures = server.load.run(seconds)["groups"][group]
            spent = server.cpu() - before
            found[name] = spent * 1e6 / max(1, figures["sent"])
            found[f"{name} missing"] = figures["expected"] - figures["delivered"]
    return found


def capacity(count: int, folder: Path, seconds: float) -> Figures:
    """Return the highest rate whose p99 is not above :data:`P99_MS`, on both cores."""
    with served(count, folder, pinned=False) as server:
        group = server.connected["group"]
        rate, best = float(FIRST_RATE), 0.0
        while True:
            server.load.mode(group, f"rate {rate:g}")
            server.load.run(1.0)
            figures = server.load.run(seconds)["groups"][group]
            missing = figures["expected"] - figures["delivered"]
            if missing or figures["delivery"]["p99_us"] > P99_MS * 1000:
                return {"messages_a_second": best}
            best = rate
            rate *= GROWTH


def death(folder: Path, seconds: float) -> Figures:
    """Return p99 before, and while one of two workers is killed, in milliseconds."""
    with served(2, folder, pinned=False) as server:
        group = server.connected["group"]
        server.load.mode(group, f"rate {FIRST_RATE}")
        server.load.run(1.0)
        calm = server.load.run(seconds)["groups"][group]
        victim = server.pids[0]
        timer = threading.Timer(seconds / 3, os.kill, (victim, signal.SIGKILL))
        timer.start()
        after = server.load.run(seconds)
        timer.join()
        group_after = after["groups"][group]
        return {
            "calm_ms": calm["delivery"]["p99_us"] / 1e3,
            "death_ms": group_after["delivery"]["p99_us"] / 1e3,
            "lost": after["lost"],
        }


def table(found: dict[int, list[Figures]]) -> str:
    """Return the costs by number of workers, and the model that follows of them."""
    lines = [
        "| workers | connect + join, µs | B, µs a message | D2, µs a message |"
        " B by the model, × one | D2 by the model, × one | sessions of a worker |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    one = {name: _median(found[1], name) for name in MODES}
    for count, rounds in found.items():
        cells = [str(count)]
        cells += [f"{_median(rounds, name):.0f}" for name in ("connect", *MODES)]
        # Each has a core of its own, and all of them the cost together.
        cells += [f"{count * one[name] / _median(rounds, name):.2f}" for name in MODES]
        cells.append(", ".join(f"{each:g}" for each in rounds[-1]["sessions"]))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(rounds: list[Figures], name: str) -> float:
    return statistics.median(each[name] for each in rounds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.workers", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    return parser.parse_args()


def _measured(
    name: str, count: int, number: int, measure: Callable[[Path], Figures]
) -> Figures:
    with tempfile.TemporaryDirectory(prefix="chatroom-bench-") as folder:
        found = measure(Path(folder))
    print(f"{number} {name} {count} {json.dumps(found)}", flush=True)
    return found


def main() -> None:
    """Measure and print."""
    given = _arguments()
    raise_descriptor_limit()
    found: dict[int, list[Figures]] = {count: [] for count in COUNTS}
    rates: dict[int, list[Figures]] = {1: [], 2: []}
    deaths: list[Figures] = []
    seconds = given.seconds
    for number in range(given.rounds):
        for count in COUNTS if "costs" in given.parts else ():
            measure = partial(costs, count, seconds=seconds)
            found[count].append(_measured("costs", count, number, measure))
        for count in rates if "rates" in given.parts else ():
            measure = partial(capacity, count, seconds=seconds)
            rates[count].append(_measured("rates", count, number, measure))
        if "death" in given.parts:
            measure = partial(death, seconds=seconds)
            deaths.append(_measured("death", 2, number, measure))
    print(json.dumps(describe()))
    if "costs" in given.parts:
        print(table(found))
    if "rates" in given.parts:
        both = [_median(rates[count], "messages_a_second") for count in (1, 2)]
        print(f"Two cores for all: {both[0]:.0f} and {both[1]:.0f} messages a second.")
    if deaths:
        calm, after = (_median(deaths, name) for name in ("calm_ms", "death_ms"))
        print(f"A worker is killed: p99 {calm:.1f} ms before, {after:.1f} ms after.")


if __name__ == "__main__":
    main()
