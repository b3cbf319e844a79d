"""Delivers to one endpoint, from one node: rooms in their order, failures beside them.

Of a room one request is under way. What fails holds up its room for a minute at most,
trying again all the while: a restart of the application is over by then, and nothing is
out of order. After that it is tried again beside the others, more and more seldom, and
given up in the end.
"""

import asyncio
import logging
import random
import time
from collections import deque
from typing import Final

from realtime.errors import ChatError
from realtime.store.endpoints import Endpoint
from realtime.store.hook_queues import PAGE_ENTRIES
from realtime.store.scripts import QueueEntry
from realtime.webhooks.calls import SETTLE_SECONDS, Calls, Ways, settle

# What is tried again beside the others at a time.
RETRIES: Final = 4

# In its order something is tried again so often,
ORDER_RETRY_SECONDS: Final = 5.0
# and for so long.
ORDER_SECONDS: Final = 60.0

# Then after these waits, as Standard Webhooks has them: three days in all.
WAITS_SECONDS: Final = (*(300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400),)

# Endpoints that were down together must not be called together.
JITTER: Final = 0.1

# Of a queue, what is held in memory: as much as keeps all calls busy.
HELD_ENTRIES: Final = 500
HELD_BYTES: Final = 4 * 1024 * 1024

# Between two looks at the queue, where nothing told of something new.
LOOK_SECONDS: Final = 0.1

# Between two looks for what is to be tried again.
DUE_SECONDS: Final = 1.0

_logger = logging.getLogger(__name__)


class RoomLine:
    """Events of a room that wait; ``held_up`` since when, by what failed in it."""

    __slots__ = ("entries", "held_up")

    def __init__(self) -> None:
        self.entries: deque[QueueEntry] = deque()
        self.held_up: float | None = None


class Delivery:
    """Tells one endpoint what is in its queue; one node does.

    Args:
        endpoint: Whom.
        ways: With what.
        failing_since: Since when it fails, in Unix ms; 0: it does not.
    """

    def __init__(self, endpoint: Endpoint, ways: Ways, failing_since: int) -> None:
        self._id = endpoint.id
        self._queues = ways.queues
        self._numbers = ways.numbers
        self._calls = Calls(endpoint, ways, failing_since, self._recovered)
        self._lines: dict[str, RoomLine] = {}
        self._held: dict[str, int] = {}
        self._held_bytes = 0
        self._wake = asyncio.Event()
        # Whether what was postponed of late is due: the endpoint may be well again.
        self._hurry = True

    def __len__(self) -> int:
        return len(self._held)

    def look(self) -> None:
        """Take note that there is something new in the queue."""
        self._wake.set()

    def _recovered(self) -> None:
        self._hurry = True

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is delivered again."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._calls.run(), name=f"webhooks-calls-{self._id}")
            tasks.create_task(self._read(tasks), name=f"webhooks-read-{self._id}")
            tasks.create_task(self._retry(), name=f"webhooks-retry-{self._id}")

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the calls busy."""
        after, generation = "", self._queues.generation
        while True:
            self._wake.clear()
            if self._queues.generation != generation:
                # Perhaps a Redis that lost its last seconds: what is added there may
                # stand before what was read here.
                after, generation = "", self._queues.generation
            found = 0
            if len(self._held) < HELD_ENTRIES and self._held_bytes < HELD_BYTES:
                try:
                    page = await self._queues.page(self._id, after)
                except ChatError:
                    await asyncio.sleep(SETTLE_SECONDS)
                    continue
                after, found = page.last, len(page.entries)
                self._numbers.waiting[self._id] = page.waiting
                for entry in page.entries:
                    if entry.entry not in self._held:
                        self._admit(entry, tasks)
            if found < PAGE_ENTRIES:
                await self._woken(LOOK_SECONDS)

    def _admit(self, entry: QueueEntry, tasks: asyncio.TaskGroup) -> None:
        self._held[entry.entry] = len(entry.body)
        self._held_bytes += len(entry.body)
        line = self._lines.get(entry.room)
        if line is not None:
            line.entries.append(entry)
            return
        line = self._lines[entry.room] = RoomLine()
        line.entries.append(entry)
        tasks.create_task(self._drain(entry.room, line), name=f"webhooks-{self._id}")

    async def _woken(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _drain(self, room: str, line: RoomLine) -> None:
        """Deliver what waits of a room, one after the other, until nothing does."""
        while line.entries:
            entry = line.entries[0]
            await self._deliver(line, entry)
            line.entries.popleft()
            self._held_bytes -= self._held.pop(entry.entry)
            if len(self._held) < HELD_ENTRIES // 2:
                self._wake.set()
        del self._lines[room]

    async def _deliver(self, line: RoomLine, entry: QueueEntry) -> None:
        """Deliver in order, or leave an entry for later when that takes too long."""
        while True:
            if await self._calls.call(entry):
                line.held_up = None
                await settle(lambda: self._queues.done(self._id, entry))
                return
            now = time.monotonic()
            if line.held_up is None:
                line.held_up = now
            if now + ORDER_RETRY_SECONDS - line.held_up > ORDER_SECONDS:
                await self._postpone(entry, tried=1)
                return
            await asyncio.sleep(ORDER_RETRY_SECONDS)

    async def _retry(self) -> None:
        """Try again what was postponed, beside the rooms' order."""
        while True:
            # What was postponed last waits for the first wait and some more at most.
            ahead = WAITS_SECONDS[0] * (1 + JITTER) if self._hurry else 0.0
            try:
                due = await self._queues.due(
                    self._id, ahead_ms=round(ahead * 1000), limit=RETRIES
                )
            except ChatError:
                due = []
            if due:
                async with asyncio.TaskGroup() as tasks:
                    for entry in due:
                        tasks.create_task(
                            self._try_again(entry), name=f"webhooks-again-{self._id}"
                        )
            else:
                self._hurry = False
                await asyncio.sleep(DUE_SECONDS)

    async def _try_again(self, entry: QueueEntry) -> None:
        if await self._calls.call(entry):
            await settle(lambda: self._queues.done(self._id, entry))
        else:
            await self._postpone(entry, tried=entry.tries + 1)

    async def _postpone(self, entry: QueueEntry, *, tried: int) -> None:
        """Have an entry tried again after the next wait, or give it up."""
        if tried > len(WAITS_SECONDS):
            await settle(
                lambda: self._queues.bury(self._id, entry, why="failed", tried=tried)
            )
            self._numbers.outcomes["given_up"] += 1
            _logger.error(
                "Endpoint %s does not take %s: given up", self._id, entry.event_id
            )
            return
        spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
        wait_ms = round(WAITS_SECONDS[tried - 1] * spread * 1000)
        await settle(
            lambda: self._queues.later(self._id, entry, wait_ms=wait_ms, tried=tried)
        )
        self._numbers.outcomes["postponed"] += 1
