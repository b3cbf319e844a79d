"""Several nodes of this server on one Valkey, each process pinned to a core."""

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from benchmarks.processes import free_port, running, running_valkey, wait_ready
from benchmarks.servers import CHATROOM, chatroom_environment

ANSWER_SECONDS = 5.0
"""Longest wait for Redis's or a node's numbers."""


@dataclass(frozen=True, slots=True)
class Node:
    """A running node.

    Attributes:
        port: Where it listens.
        process: Its process.
        log: File with what it logged.
    """

    port: int
    process: subprocess.Popen[str]
    log: Path

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
    redis: subprocess.Popen[str]
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
            port, log = free_port(), folder / f"node-{number}.log"
            process = stack.enter_context(
                running(
                    CHATROOM,
                    core=cores[number % len(cores)],
                    log=log,
                    environment={
                        **chatroom_environment(
                            port, redis_url, folder / f"data-{number}"
                        ),
                        **(settings or {}),
                    },
                )
            )
            nodes.append(Node(port, process, log))
        for node in nodes:
            wait_ready(node.process, node.port, "/readyz")
        yield Cluster(nodes, redis, redis_port)
