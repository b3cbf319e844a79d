"""An attacker as a process of its own, beside what is measured."""

import base64
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import LOAD_CORE
from benchmarks.processes import running
from benchmarks.tokens import token


@contextlib.contextmanager
def attacker(
    kind: str, port: int, folder: Path, connections: int, seconds: float
) -> Iterator[Any]:
    """Start an attacker that waits for the word; yield its process."""
    name = base64.b64encode(token(f"flooder-{kind}").encode()).decode()
    with running(
        # It shares a core with those who measure: they go first.
        [
            *("nice", "-n", "10", sys.executable, "-m", "benchmarks.flood.flooder"),
            *(kind, str(port), name, str(connections), str(seconds)),
        ],
        core=LOAD_CORE,
        log=folder / "flooder.log",
        piped=True,
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError((folder / "flooder.log").read_text())
        yield process


@contextlib.contextmanager
def attacking(kind: str, port: int, folder: Path, seconds: float) -> Iterator[None]:
    """Have strangers attack for as long as the block takes."""
    with attacker(kind, port, folder, 0, seconds) as process:
        process.stdin.write("go\n")
        process.stdin.flush()
        yield
