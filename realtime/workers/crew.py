"""All workers: each slot has one, a new one when it died, another one on request."""

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from realtime.engineio.sid_marks import MARK_BITS
from realtime.errors import StartError
from realtime.tasks import TaskStack
from realtime.workers import notify
from realtime.workers.process import LOOK_SECONDS, WorkerProcess
from realtime.workers.restarts import Restarts
from realtime.workers.seat import Seat
from realtime.workers.table import START_SECONDS, Table
from realtime.workers.tokens import PLACE

# What a worker needs beyond its drain, before it is killed.
MORE_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


class _Slot:
    """One worker's place.

    Attributes:
        current: Who fills it; None: nobody does now.
        others: Who is to fill it, and who has filled it and goes.
        restarts: When the next one is due.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: WorkerProcess | None = None
        self.others: list[WorkerProcess] = []
        self.restarts = Restarts()

    @property
    def processes(self) -> Iterator[WorkerProcess]:
        """All of them."""
        if self.current is not None:
            yield self.current
        yield from self.others


class Crew:
    """Keeps the workers.

    Args:
        table: What they say.
        descriptor: The table's.
        sockets: Of each slot the descriptors of its sockets.
        places: The pipe with the places for decoders.
        folder: Where they listen to each other.
        environment: Theirs.
        end_seconds: Time for one to go in good order.
    """

    def __init__(
        self,
        table: Table,
        descriptor: int,
        *,
        sockets: Sequence[Sequence[int]],
        places: tuple[int, int],
        folder: Path,
        environment: Mapping[str, str],
        end_seconds: float,
    ) -> None:
        self._table = table
        self._descriptor = descriptor
        self._sockets = tuple(map(tuple, sockets))
        self._places = places
        self._folder = folder
        self._environment = environment
        self._end_seconds = end_seconds + MORE_SECONDS
        self._slots = [_Slot(number) for number in range(len(sockets))]
        self._reloads = TaskStack()
        self._is_reloading = self._again = False
        # Ids of sessions of an earlier supervisor are not taken for a worker's.
        self._number = 1 + secrets.randbelow((1 << MARK_BITS) - 1)

    @property
    def is_alive(self) -> bool:
        """Whether a worker takes connections and was heard of lately."""
        return any(not row.is_hung for row in self._table.serving())

    async def start(self) -> None:
        """Start all workers, and return when they serve.

        Raises:
            StartError: One does not; it has said why.
        """
        first, *others = self._slots
        # Alone: what keeps it from starting keeps all, and is said once.
        await self._start_first(first)
        await asyncio.gather(*map(self._start_first, others))

    async def look(self) -> None:
        """Start those again that have ended.

        Raises:
            StartError: None can be kept alive.
        """
        now = time.monotonic()
        for slot in self._slots:
            for process in slot.processes:
                process.end_if_hung(now)
            if slot.current is not None and slot.current.exit_code is not None:
                self._ended(slot, slot.current, now)
            due = slot.restarts.due
            if slot.current is None and not slot.others and due and now >= due:
                slot.restarts.due = None
                await self._start_again(slot)
        if all(slot.restarts.has_given_up for slot in self._slots):
            raise StartError("The workers end again and again; the log says why.")

    def reload(self) -> None:
        """Replace all workers, one after the other, in a task of its own."""
        if self._is_reloading:
            self._again = True
            return
        self._is_reloading = True
        self._reloads.start(self._reload(), "reload")

    async def end(self) -> None:
        """Have all workers go in good order."""
        self._table.head.stopping = 1
        await self._reloads.aclose()
        living = [
            process
            for slot in self._slots
            for process in slot.processes
            if process.exit_code is None
        ]
        await asyncio.gather(*(each.end(self._end_seconds) for each in living))

    async def _start_first(self, slot: _Slot) -> None:
        slot.current = process = await self._spawn(slot)
        deadline = time.monotonic() + START_SECONDS
        while not process.has_started:
            if process.exit_code is not None:
                raise StartError(f"Worker {slot.number} did not start.")
            if time.monotonic() > deadline:
                raise StartError(f"Worker {slot.number} does not start.")
            await asyncio.sleep(LOOK_SECONDS)

    async def _start_again(self, slot: _Slot) -> None:
        try:
            slot.current = await self._spawn(slot)
        except OSError as error:
            # The machine is out of processes or memory: as if it had died.
            _logger.error("Worker %d cannot be started: %s", slot.number, error)
            slot.restarts.ended(time.monotonic())

    def _ended(self, slot: _Slot, process: WorkerProcess, now: float) -> None:
        """Take note of an end that nobody asked for."""
        slot.current = None
        slot.restarts.ended(now)
        self._clear_up(process)
        code = process.exit_code
        if slot.restarts.due is None:
            _logger.critical(
                "Worker %d ended (%s) again and again, and is left out until SIGHUP;"
                " the others take its connections.",
                *(slot.number, code),
            )
        else:
            pause = slot.restarts.due - now
            _logger.error(
                "Worker %d ended (%s); the next one is started in %.1f s.",
                *(slot.number, code, pause),
            )

    async def _reload(self) -> None:
        try:
            while True:
                self._again = False
                notify.notify(notify.reloading())
                _logger.info("Replacing the workers.")
                if await self._replace_all():
                    self._table.head.reloads += 1
                    _logger.info("All workers were replaced.")
                else:
                    self._table.head.failed_reloads += 1
                notify.notify(notify.READY)
                if not self._again:
                    return
        finally:
            self._is_reloading = False

    async def _replace_all(self) -> bool:
        for slot in self._slots:
            if not await self._replace(slot):
                _logger.error(
                    "The new worker %d does not get ready: the old ones go on.",
                    slot.number,
                )
                return False
        return True

    async def _replace(self, slot: _Slot) -> bool:
        """Start another worker in a slot; when it is ready, have the old one go."""
        new = await self._spawn(slot)
        slot.others.append(new)
        deadline = time.monotonic() + START_SECONDS
        while not new.is_ready:
            if new.exit_code is not None or time.monotonic() > deadline:
                await new.kill()
                slot.others.remove(new)
                self._clear_up(new)
                return False
            await asyncio.sleep(LOOK_SECONDS)
        old, slot.current = slot.current, new
        slot.others.remove(new)
        slot.restarts.begin_anew()
        if old is not None:
            slot.others.append(old)
            await old.end(self._end_seconds)
            slot.others.remove(old)
            self._clear_up(old)
        return True

    def _clear_up(self, process: WorkerProcess) -> None:
        taken = process.clear_up()
        if taken:
            os.write(self._places[1], PLACE * taken)

    async def _spawn(self, slot: _Slot) -> WorkerProcess:
        number = self._next_number()
        row = self._table.take_row(slot=slot.number, number=number)
        seat = Seat(
            slot=slot.number,
            number=number,
            row=row,
            table=self._descriptor,
            sockets=self._sockets,
            places=self._places,
            folder=str(self._folder),
        )
        return await WorkerProcess.start(seat, self._table, self._environment)

    def _next_number(self) -> int:
        """Return a number that no worker has; none has 0."""
        used = {row.number for row in self._table.rows}
        while True:
            self._number = self._number % ((1 << MARK_BITS) - 1) + 1
            if self._number not in used:
                return self._number
