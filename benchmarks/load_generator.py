"""The load generator as an object: commands to its stdin, JSON from its stdout."""

import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
# What all load programs share.
CLIENT = HERE / "client"

BUILD = Path("build/benchmarks")
# Below every server's listen backlog: no connect waits for a retransmission.
CONNECTS_AT_ONCE = 64

CONNECT_SECONDS = 120
# What a command may take beyond the seconds that it was asked to run.
ANSWER_SECONDS = 30

Figures = dict[str, Any]


def compile_programs(folder: Path) -> tuple[Path, Path]:
    """Compile the load generator and the raw server.

    Returns:
        The two programs' paths.

    Raises:
        RuntimeError: There is no C compiler.
    """
    raw = _compile(folder / "raw", HERE / "peers" / "raw.c")
    return compile_load(folder, "load"), raw


def compile_load(folder: Path, name: str) -> Path:
    """Compile the load program of this name and return its path.

    Raises:
        RuntimeError: There is no C compiler.
    """
    return _compile(folder / name, *CLIENT.glob("*.c"), *(HERE / name).glob("*.c"))


def _compile(target: Path, *sources: Path) -> Path:
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise RuntimeError("the benchmarks need a C compiler (cc)")
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", f"-I{CLIENT}", "-o", str(target)]
    command += sorted(str(source) for source in sources)
    subprocess.run(command, check=True, timeout=60)
    return target


class LoadGenerator:
    """A running load generator; every wait has a deadline.

    Args:
        process: The program, with its stdin and stdout piped.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid

    def connect(self, count: int, rooms: int, prefix: str) -> Figures:
        """Connect a group of sessions, spread evenly over rooms, and have them join.

        Raises:
            RuntimeError: Not all of them have joined.
        """
        self.start(
            f"connect {count} {rooms} {prefix} {CONNECTS_AT_ONCE} {CONNECT_SECONDS}"
        )
        answer = self.finish(CONNECT_SECONDS)
        if answer["joined"] != count:
            raise RuntimeError(
                f"{answer['joined']} of {count} sessions joined: {answer['error']}"
            )
        return answer

    def mode(self, group: int, mode: str) -> None:
        """Set how a group sends: ``off``, ``closed <n>`` or ``rate <per second>``."""
        self.start(f"mode {group} {mode}")
        self.finish(0)

    def run(self, seconds: float, drain: float = 5.0) -> Figures:
        """Send for some seconds, then wait up to ``drain`` for what is under way."""
        self.start(f"run {seconds} {drain}")
        return self.finish(seconds + drain)

    def lose(self, group: int, after_seconds: float) -> None:
        """Have a group's connections closed during the next run."""
        self.start(f"lose {group} {after_seconds}")
        self.finish(0)

    def close(self, group: int) -> None:
        """Close a group's connections."""
        self.start(f"close {group}")
        self.finish(0)

    def idle(self, seconds: float) -> Figures:
        """Only answer heartbeats."""
        self.start(f"idle {seconds}")
        return self.finish(seconds)

    def counts(self) -> list[Figures]:
        """Return the last run's samples by group: ``[[upper edge in us, count]…]``."""
        self.start("counts")
        groups: list[Figures] = self.finish(0)["groups"]
        return groups

    def start(self, command: str) -> None:
        """Give a command; :meth:`finish` gets its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def finish(self, seconds: float) -> Figures:
        """Return the answer to the command that was started.

        Raises:
            RuntimeError: The program ended or did not answer in time.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select(
            [self._process.stdout], [], [], seconds + ANSWER_SECONDS
        )
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the load generator does not answer")
        answer: Figures = json.loads(line)
        return answer


class Crowd(LoadGenerator):
    """Clients on several nodes, that come back when theirs dies (``crowd/``)."""

    def ask(self, command: str, seconds: float) -> Figures:
        """Give a command and return its answer."""
        self.start(f"{command} {seconds}")
        return self.finish(seconds)
