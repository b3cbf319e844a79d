"""A child process that dies with this one, its output in a file."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from realtime.redis.valkey_process import die_with_parent
from realtime.start_error import StartError

READY_SECONDS = 30.0
"""Longest start of a process, on a machine that is busy with faults."""

END_SECONDS = 30.0
"""Longest end of a process: over the time in which a node drains."""

LOOK_SECONDS = 0.02
"""Between two looks at a process; Valkey starts within twice that."""

SHOWN_BYTES = 4_000
"""The end of a process's output that the text of a failure shows."""


def looks(seconds: float, pause: float = LOOK_SECONDS) -> Iterator[float]:
    """Yield the pause before each next look at something, until a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield pause


class ChildProcess:
    """A program that may be killed, stopped and started again.

    Args:
        log: File that takes its output, over all starts.
        core: The only core that it may use; None: any.
    """

    def __init__(self, log: Path, *, core: int | None = None) -> None:
        self.log = log
        self._core = core
        self._began = 0
        self._looked_at = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process of the last start."""
        if self._process is None:
            raise ValueError("it was not started")
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it lives, stopped or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """All that it printed since its last start."""
        return self.log.read_bytes()[self._began :].decode(errors="replace")

    def new_traceback(self) -> str:
        """Return the first traceback in what it printed since the last call."""
        said = self.log.read_bytes()[self._looked_at :]
        self._looked_at += len(said)
        _, mark, rest = said.decode(errors="replace").partition(
            "Traceback (most recent"
        )
        return mark + rest[:SHOWN_BYTES] if mark else ""

    def spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        piped: bool = False,
    ) -> None:
        """Start it and return at once.

        Args:
            command: Program and arguments.
            environment: All of its variables; None: those of this process.
            piped: Whether stdin and stdout are text pipes to this process.
        """
        die = die_with_parent()

        def prepare() -> None:
            if self._core is not None:
                os.sched_setaffinity(0, {self._core})
            die()

        with self.log.open("ab") as log:
            self._began = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                command,
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                text=True,
                env=environment,
                preexec_fn=prepare,
                # Ctrl-C is for the run, which ends its processes last.
                start_new_session=True,
            )

    def is_serving(self) -> bool:
        """Tell whether it does what it is there for."""
        return self.running

    def wait_ready(self) -> None:
        """Return when it serves.

        Raises:
            StartError: It ended, or it does not in time.
        """
        for pause in self._until_ready():
            time.sleep(pause)

    async def ready(self) -> None:
        """Do what :meth:`wait_ready` does, without keeping others waiting."""
        for pause in self._until_ready():
            await asyncio.sleep(pause)

    def _until_ready(self) -> Iterator[float]:
        for pause in looks(READY_SECONDS):
            if self.is_serving():
                return
            if not self.running:
                break
            yield pause
        state = "does not serve" if self.running else "ended"
        name, said = type(self).__name__, self.output[-SHOWN_BYTES:]
        raise StartError(f"{name} {state}:\n{said}")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP: alive to the kernel, dead to everybody else."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, no farewell; returns when it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(END_SECONDS)

    async def ended(self, seconds: float = END_SECONDS) -> int:
        """Wait for its end and return the exit code.

        Raises:
            TimeoutError: It does not end in time.
        """
        for pause in looks(seconds):
            if (code := self.process.poll()) is not None:
                return code
            await asyncio.sleep(pause)
        raise TimeoutError(f"it does not end:\n{self.output[-SHOWN_BYTES:]}")
