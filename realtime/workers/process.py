"""One worker's process, as the supervisor has it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Self

from realtime.redis.valkey_process import die_with_parent
from realtime.workers.channel import path_of
from realtime.workers.seat import Seat
from realtime.workers.table import State, Table

# Between two looks at a worker that is to get ready, or to end.
LOOK_SECONDS: Final = 0.05

# For one that hangs to write down where, before it is killed.
ABORT_SECONDS: Final = 2.0

_logger = logging.getLogger(__name__)


class WorkerProcess:
    """A worker that was started.

    Args:
        process: It, running.
        seat: What it was told.
        table: Where it says how it is.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, seat: Seat, table: Table
    ) -> None:
        self._process = process
        self._table = table
        self.seat = seat
        self.row = table.rows[seat.row]
        self._abort_at: float | None = None

    @classmethod
    async def start(
        cls, seat: Seat, table: Table, environment: Mapping[str, str]
    ) -> Self:
        """Start a worker.

        Raises:
            OSError: The system has no place for it.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "realtime.workers", seat.to_text()),
            stdin=asyncio.subprocess.DEVNULL,
            env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=seat.descriptors,
            preexec_fn=die_with_parent(signal.SIGTERM),
            # Ctrl-C reaches the supervisor, which tells the workers.
            start_new_session=True,
        )
        table.rows[seat.row].pid = process.pid
        return cls(process, seat, table)

    @property
    def exit_code(self) -> int | None:
        """How it ended; None: it lives."""
        return self._process.returncode

    @property
    def has_started(self) -> bool:
        """Whether it takes connections."""
        return self.row.serves

    @property
    def is_ready(self) -> bool:
        """Whether it can serve whoever comes."""
        return self.row.is_ready

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end_if_hung(self, now: float) -> None:
        """End it when nothing was heard of it for too long."""
        if self._abort_at is not None:
            if now >= self._abort_at + ABORT_SECONDS:
                self.signal(signal.SIGKILL)
        elif self.row.is_hung:
            _logger.error("Worker %d hangs and is ended.", self.seat.slot)
            self._abort_at = now
            self.signal(signal.SIGABRT)
            # One that was stopped would not even get that.
            self.signal(signal.SIGCONT)

    async def end(self, seconds: float) -> None:
        """Have it go in good order; kill it if it takes too long."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            _logger.error("Worker %d does not end and is killed.", self.seat.slot)
            await self.kill()

    async def kill(self) -> None:
        """Kill it, and return when it is gone."""
        self.signal(signal.SIGKILL)
        await self._process.wait()

    def clear_up(self) -> int:
        """Clear up after its end; return how many places for decoders it had taken."""
        path_of(self.seat.path, self.seat.number).unlink(missing_ok=True)
        decoders = self.row.decoders
        if self.exit_code == 0:
            self._table.clear(self.seat.row)
        else:
            # What it lists of its sessions is there still, for another one to end.
            self._table.forget_held(self.seat.row)
            self.row.decoders = 0
            self.row.state = State.DEAD
        return decoders
