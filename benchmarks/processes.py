"""Child processes of a run: pinned to a core, ended with it, bounded in every wait."""

import contextlib
import os
import resource
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import DESCRIPTORS
from realtime.redis.valkey_process import die_with_parent
from verify.harness.valkey import LAZY, Valkey, free_ports

# Time in which a server must be up: the slowest takes two.
READY_SECONDS = 20

STOP_SECONDS = 5
POLL_SECONDS = 0.02


def raise_descriptor_limit() -> int:
    """Raise this process's limit of open files for it and its children."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        # Only root may raise the hard limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        return DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    return free_ports(1)[0]


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    core: int,
    log: Path,
    environment: Mapping[str, str] | None = None,
    piped: bool = False,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command on one core; at the end it is gone, also if it hangs.

    Args:
        command: Program and arguments.
        core: The only core that it may use.
        log: File for what it prints.
        environment: Variables besides this process's own.
        piped: Whether stdin and stdout are pipes to this process.
    """
    die = die_with_parent()

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        die()

    with log.open("ab") as sink:
        process = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else sink,
            stderr=sink,
            text=True,
            preexec_fn=prepare,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


@contextlib.contextmanager
def running_valkey(
    folder: Path, core: int
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Run a Valkey on one core, with its data and log in a folder; yield its port too.

    It runs as the embedded server does: every write in the file, synced each second.
    """
    port = free_port()
    valkey = Valkey(folder, *LAZY, port=port)
    valkey.start()
    os.sched_setaffinity(valkey.process.pid, {core})
    try:
        valkey.wait_ready()
        yield valkey.process, port
    finally:
        valkey.close()


def wait_ready(process: subprocess.Popen[Any], port: int, path: str | None) -> None:
    """Wait until a server listens and, if it has such a path, answers 200 on it.

    Raises:
        RuntimeError: It ended, or it was not ready in time.
    """
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        if _answers(port, path):
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError("the server was not ready in time")


def _answers(port: int, path: str | None) -> bool:
    if path is None:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        url = f"http://127.0.0.1:{port}{path}"
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
