"""Several nodes of this server on one Valkey, each process pinned to a core."""

import contextlib
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.processes import running_valkey, wait_ready
from benchmarks.servers import chatroom_environment
from verify.harness.nodes import NodeProcess

# Longest wait for Redis's or a node's numbers.
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Node:
    """A running node."""

    started: NodeProcess

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.started.port

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process."""
        return self.started.process

    @property
    def log(self) -> Path:
        """File with what it logged."""
        return self.started.log

    def metrics(self) -> str:
        """Return its numbers in Prometheus's text format."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            text: str = answer.read().decode()
        return text


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes and their Valkey.

    Attributes:
        nodes: In the order of their start.
        redis: Valkey's process.
        redis_port: Where it listens.
    """

    nodes: list[Node]
    redis: subprocess.Popen[bytes]
    redis_port: int

    def calls(self) -> dict[str, int]:
        """Return how often each command was called so far, in scripts or alone."""
        # It says no more than it is told to: its own calls would count.
        with Redis(
            port=self.redis_port,
            socket_timeout=ANSWER_SECONDS,
            protocol=2,
            lib_name=None,
            lib_version=None,
        ) as redis:
            found = redis.info("commandstats")
        return {
            name.removeprefix("cmdstat_"): numbers["calls"]
            for name, numbers in found.items()
        }


@contextlib.contextmanager
def cluster(
    count: int,
    folder: Path,
    *,
    cores: tuple[int, ...] = (SERVER_CORE,),
    settings: dict[str, str] | None = None,
) -> Iterator[Cluster]:
    """Start Valkey and nodes; end them all.

    Args:
        count: How many nodes.
        folder: For data and logs.
        cores: What the nodes may use, taken in turn; Valkey is on the load's core.
        settings: ``CHATROOM_*`` besides the benchmark's own.
    """
    with contextlib.ExitStack() as stack:
        redis, redis_port = stack.enter_context(running_valkey(folder, LOAD_CORE))
        redis_url = f"redis://127.0.0.1:{redis_port}"
        nodes = []
        for number in range(count):
            process = NodeProcess(
                log=folder / f"node-{number}.log",
                environment={
                    **chatroom_environment(redis_url, folder / f"data-{number}"),
                    **(settings or {}),
                },
            )
            stack.callback(process.kill)
            process.start()
            os.sched_setaffinity(process.process.pid, {cores[number % len(cores)]})
            nodes.append(process)
        for process in nodes:
            process.wait_ready()
            wait_ready(process.process, process.port, "/readyz")
        yield Cluster([Node(each) for each in nodes], redis, redis_port)
