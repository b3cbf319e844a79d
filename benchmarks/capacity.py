"""What a server carries before users feel it: ``python -m benchmarks.capacity``.

All servers do the same job; each has a core, Redis and the load share the other. The
rate is raised until 1 in 100 deliveries takes longer than 50 ms: docs/benchmarks.md.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.capacity_report import MARKS, report
from benchmarks.comeback import BACK_SECONDS, OTHERS, come_back
from benchmarks.load_generator import (
    BUILD,
    Figures,
    compile_load,
    compile_programs,
)
from benchmarks.machine import describe
from benchmarks.processes import raise_descriptor_limit
from benchmarks.rate_search import highest
from benchmarks.rate_trials import SHAPES, Trials
from benchmarks.report import write_into
from benchmarks.servers import SERVERS, Server, available, versions
from benchmarks.stage import Stage, is_clean, stage
from benchmarks.tokens import write_tokens

SAME_JOB = ("rust", "bun-same", "node-same", "chatroom")
PARTS = ("rooms", "room", "sessions", "back")
DOCUMENT = Path("docs/benchmarks.md")
ROUNDS = 3
# Nothing begins after this long.
MINUTES = 30.0

# Between two rates of the first search; and of the next, which begin near its result.
FIRST_STEP = 2.0
NEXT_STEP = 1.25

# Sessions that connect before those that are measured.
WARM_SESSIONS = 1_000
SETTLE_SECONDS = 2.0
ROOM_SESSIONS = 10


def sessions_of(ready: Stage, count: int) -> Figures:
    """Return what a session costs that connects, authenticates and joins a room."""
    load = ready.load
    load.connect(WARM_SESSIONS, WARM_SESSIONS // ROOM_SESSIONS, "warm-")
    load.idle(SETTLE_SECONDS)
    memory = ready.memory()
    cost = ready.measured(lambda: load.connect(count, count // ROOM_SESSIONS, "s-"))
    load.idle(SETTLE_SECONDS)
    return {
        "cpu_us": cost["server_cpu_seconds"] * 1e6 / count,
        "redis_us": cost["redis_cpu_seconds"] * 1e6 / count,
        "sessions_a_second": count / cost["seconds"],
        "bytes": (ready.memory() - memory) / count,
        "clean": is_clean(cost),
    }


class Capacity:
    """All rounds of one call.

    Args:
        given: The command line's.
        folder: For logs and data.
    """

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self._given = given
        self._folder = folder
        self._until = time.monotonic() + given.minutes * 60
        self._programs = compile_programs(BUILD)
        self._crowd = compile_load(BUILD, "crowd")
        users = max(2 * WARM_SESSIONS + given.sessions, given.back + OTHERS)
        self._tokens = write_tokens(
            folder / "tokens", (f"user-{number}" for number in range(users))
        )
        self.found: dict[str, dict[str, list[Any]]] = {}
        self.failures: list[str] = []

    def round(self, number: int, servers: list[Server]) -> None:
        """Measure all servers in turn, each round beginning with another one."""
        shift = number % len(servers)
        for part in self._given.parts:
            for server in servers[shift:] + servers[:shift]:
                self._measure(number, part, server)

    def _measure(self, number: int, part: str, server: Server) -> None:
        if time.monotonic() > self._until:
            self.failures.append(f"{server.name} {part}: no time was left")
            return
        began = time.monotonic()
        mine = self.found.setdefault(server.name, {}).setdefault(part, [])
        folder = self._folder / f"{number}-{part}-{server.name}"
        folder.mkdir()
        try:
            found = self._figures(part, server, folder, mine)
        except (RuntimeError, OSError) as error:
            self.failures.append(f"{server.name} {part}: {error}")
            print(f"{number} {server.name:9} {part:8} FAILED: {error}", flush=True)
            return
        mine.append(found)
        if found.get("back", self._given.back) < self._given.back:
            self.failures.append(
                f"{server.name}: {found['back']:,} of {self._given.back:,} were back"
                f" after {BACK_SECONDS:.0f} s"
            )
        took = time.monotonic() - began
        print(
            f"{number} {server.name:9} {part:8} {took:3.0f} s {json.dumps(found)}",
            flush=True,
        )

    def _figures(
        self, part: str, server: Server, folder: Path, earlier: list[Figures]
    ) -> Figures:
        if part == "back":
            return come_back(
                server,
                self._given.back,
                folder=folder,
                program=self._crowd,
                tokens=self._tokens,
            )
        begin = partial(
            stage, server, folder=folder, programs=self._programs, tokens=self._tokens
        )
        if part == "sessions":
            with begin() as ready:
                return sessions_of(ready, self._given.sessions)
        shape = SHAPES[part]
        rate, step = shape.begin, FIRST_STEP
        if earlier and earlier[-1]["best"]:
            rate, step = earlier[-1]["best"]["rate"] / NEXT_STEP, NEXT_STEP
        with Trials(shape, begin, self._given.seconds) as trials:
            best, over = highest(trials.ask, rate, step=step, least=shape.least)
        return {
            "best": best and dataclasses.asdict(best),
            "over": over and dataclasses.asdict(over),
            "only_load": bool(over and over.void),
        }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.capacity", description=__doc__)
    names = [each.name for each in SERVERS if each.name != "raw"]
    parser.add_argument("--servers", nargs="+", choices=names, default=list(SAME_JOB))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=2.5, help="of a measured run")
    parser.add_argument("--sessions", type=int, default=4_000, help="that connect")
    parser.add_argument("--back", type=int, default=10_000, help="that come back")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--report", type=Path, help="all figures, as JSON")
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT}")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the tables down if asked to."""
    given = _arguments()
    raise_descriptor_limit()
    servers = available(given.servers)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chatroom-bench-") as folder:
        capacity = Capacity(given, Path(folder))
        for number in range(given.rounds):
            capacity.round(number, servers)
    titles = {each.name: each.title for each in servers}
    shown = report(capacity.found, titles, describe(), versions(), capacity.failures)
    print(f"\n{shown}\n\n{(time.monotonic() - began) / 60:.1f} minutes")
    if given.report:
        given.report.write_text(json.dumps(capacity.found, indent=1) + "\n")
    if given.write:
        write_into(DOCUMENT, shown, MARKS)


if __name__ == "__main__":
    main()
