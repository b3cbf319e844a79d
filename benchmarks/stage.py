"""A stage: one server on its core, Redis and the load on the other, all measured."""

import contextlib
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.load_generator import Figures, LoadGenerator
from benchmarks.machine import (
    LOAD_CORE,
    SERVER_CORE,
    CoreTimes,
    cpu_seconds,
    descriptors,
    memory_bytes,
)
from benchmarks.processes import free_port, running, running_valkey, wait_ready
from benchmarks.servers import Server, Start

TEXT_BYTES = 100
SESSION_LIMIT = 60_000
# Share of the server's core that others may take before a figure is not believed.
NOISE_LIMIT = 0.05

# Longest wait for a sign of life: beyond it the case has failed.
ANSWER_SECONDS = 10.0

# Share of its core above which the load generator may be what is measured.
LOAD_LIMIT = 0.90


class Stage:
    """What a case works with.

    Attributes:
        load: The load generator.
        server: The server under test.
    """

    def __init__(
        self,
        server: Server,
        process: subprocess.Popen[str],
        redis: subprocess.Popen[bytes],
        load: LoadGenerator,
        *,
        port: int,
    ) -> None:
        self.server = server
        self.load = load
        self._port = port
        self._process = process
        self._redis = redis

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def memory(self) -> int:
        """Return the bytes of memory that the server's process takes."""
        return memory_bytes(self.pid)

    def cpu(self) -> float:
        """Return the CPU seconds that the server's process has taken."""
        return cpu_seconds(self.pid)

    def descriptors(self) -> int:
        """Return how many descriptors the server has open."""
        return descriptors(self.pid)

    def answer_seconds(self) -> float:
        """Return how long the server takes to say that it lives; 0 if it has no way.

        No Redis is involved: it is as long as the event loop does something else.
        """
        if self.server.alive_path is None:
            return 0.0
        began = time.monotonic()
        url = f"http://127.0.0.1:{self._port}{self.server.alive_path}"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            answer.read()
        return time.monotonic() - began

    def measured(self, work: Callable[[], Figures]) -> Figures:
        """Do something under load and add what it cost to its figures."""
        before = self._times()
        began = time.monotonic()
        figures = work()
        seconds = time.monotonic() - began
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.server.name} ended under load; see its log")
        cost = {name: now - before[name] for name, now in self._times().items()}
        load_cpu = figures["load_cpu_seconds"]
        other = cost["core0"] - cost["server"] + cost["stolen0"]
        return {
            **figures,
            "server_cpu_seconds": cost["server"],
            "redis_cpu_seconds": cost["redis"],
            "server_share": cost["server"] / seconds,
            "load_share": load_cpu / seconds,
            "redis_share": cost["redis"] / seconds,
            "other_share": max(0.0, other / seconds),
            "load_core_other_share": max(
                0.0, (cost["core1"] - load_cpu - cost["redis"]) / seconds
            ),
            "stolen_share": (cost["stolen0"] + cost["stolen1"]) / seconds,
        }

    def _times(self) -> dict[str, float]:
        mine, theirs = CoreTimes.of(SERVER_CORE), CoreTimes.of(LOAD_CORE)
        return {
            "server": cpu_seconds(self.pid),
            "redis": cpu_seconds(self._redis.pid),
            "core0": mine.busy,
            "core1": theirs.busy,
            "stolen0": mine.stolen,
            "stolen1": theirs.stolen,
        }


def is_clean(figures: dict[str, Any]) -> bool:
    """Return whether a figure can be believed: quiet machine, load not the limit."""
    quiet = figures["other_share"] + figures["stolen_share"] <= NOISE_LIMIT
    return bool(quiet and figures["load_share"] <= LOAD_LIMIT)


@contextlib.contextmanager
def stage(
    server: Server, *, folder: Path, programs: tuple[Path, Path], tokens: Path
) -> Iterator[Stage]:
    """Start Redis, a server and the load generator; end them all."""
    load_program, raw_program = programs
    data_dir = folder / f"{server.name}-{time.monotonic_ns()}"
    data_dir.mkdir(parents=True)
    port = free_port()
    load_command = [
        str(load_program),
        *(str(port), str(tokens), str(SESSION_LIMIT), str(TEXT_BYTES)),
    ]
    with contextlib.ExitStack() as stack:
        redis, redis_port = stack.enter_context(running_valkey(data_dir, LOAD_CORE))
        start = Start(port, f"redis://127.0.0.1:{redis_port}", data_dir, raw_program)
        process = stack.enter_context(
            running(
                server.command(start),
                core=SERVER_CORE,
                log=folder / f"{server.name}.log",
                environment=server.environment(start),
            )
        )
        wait_ready(process, port, server.ready_path)
        load = stack.enter_context(
            running(
                load_command,
                core=LOAD_CORE,
                log=folder / "load.log",
                piped=True,
            )
        )
        yield Stage(server, process, redis, LoadGenerator(load), port=port)
