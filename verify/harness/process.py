"""A child process that dies with this one, its output in a file."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from realtime.errors import StartError
from realtime.redis.valkey_process import die_with_parent

# Longest start or end of a process, on a machine that is busy with faults.
PATIENCE_SECONDS = 30.0

# Between two looks at a process; Valkey starts within twice that.
LOOK_SECONDS = 0.02

# The end of a process's output that the text of a failure shows.
SHOWN_BYTES = 4_000


async def until(
    condition: Callable[[], Awaitable[bool]],
    seconds: float,
    pause: float = LOOK_SECONDS,
) -> bool:
    """Look again and again until a condition holds; tell whether it did in time."""
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(pause)
    return True


class ChildProcess:
    """A program that may be killed, stopped and started again.

    Args:
        log: File that takes its output, over all starts.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._began = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process of the last start."""
        if self._process is None:
            raise ValueError("it was not started")
        return self._process

    @property
    def running(self) -> bool:
        """Whether it lives, stopped or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """All that it printed since its last start."""
        return self.log.read_bytes()[self._began :].decode(errors="replace")

    def start(self) -> None:
        """Start it and return at once."""
        raise NotImplementedError

    def spawn(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        """Start a program; without an environment in that of this process."""
        with self.log.open("ab") as log:
            self._began = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - the caller's own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                preexec_fn=die_with_parent(),
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
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.is_serving():
            if not self.running or time.monotonic() > deadline:
                name, said = type(self).__name__, self.output[-SHOWN_BYTES:]
                raise StartError(f"{name} does not serve:\n{said}")
            yield LOOK_SECONDS

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
            self._process.wait(PATIENCE_SECONDS)

    async def ended(self) -> int:
        """Wait for its end and return the exit code.

        Raises:
            TimeoutError: It does not end in time.
        """

        async def is_over() -> bool:
            return not self.running

        if not await until(is_over, PATIENCE_SECONDS):
            raise TimeoutError(f"it does not end:\n{self.output[-SHOWN_BYTES:]}")
        return self.process.returncode
