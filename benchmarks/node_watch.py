"""Reads the nodes' own numbers all through a run, from the nodes themselves."""

import asyncio
from collections.abc import Sequence
from typing import Self

import aiohttp

from realtime.tasks import end_task
from verify.deployment import NodeSlot
from verify.node_numbers import (
    LagFigures,
    NodeNumbers,
    lag_figures,
    parse_numbers,
)

LOOK_SECONDS = 1.0
"""Between two looks at a node: a SIGKILL loses what it did since the last one."""

ANSWER_SECONDS = 0.8
"""Deadline of a look. A node that is stopped gives no answer; the next look will."""

TRIES = 5
"""Looks at a node that has just started: the machine may be busy with others."""


class NodeWatch:
    """The numbers of nodes that a run started, none of the user's own.

    A node that is away, or does not tell, is left out: looking never makes a run fail.

    Args:
        slots: The nodes. They are asked at their own ports, past the faults.

    Attributes:
        peaks: The most memory that each node was seen with since :meth:`begin`, in
            bytes, by the node's name.
    """

    def __init__(self, slots: Sequence[NodeSlot]) -> None:
        self.slots = slots
        self.peaks: dict[str, int] = {}
        self._latest: dict[tuple[str, float], NodeNumbers] = {}
        self._at_first: dict[tuple[str, float], NodeNumbers] = {}
        self._http: aiohttp.ClientSession | None = None
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        # No connection is kept: it would be one of those that are counted.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )
        self._running = asyncio.create_task(self._run(), name="node-watch")
        return self

    async def __aexit__(self, *_error: object) -> None:
        await end_task(self._running)
        if self._http is not None:
            await self._http.close()

    async def at_rest(self) -> dict[str, NodeNumbers]:
        """Return the numbers of nodes that have just started, by name."""
        found: dict[str, NodeNumbers] = {}
        for _ in range(TRIES):
            found |= await self.look_at_all()
            if len(found) == len(self.slots):
                break
            await asyncio.sleep(LOOK_SECONDS)
        return found

    def begin(self) -> None:
        """Count from now on, for a round that begins."""
        newest: dict[str, tuple[str, float]] = {}
        for key in sorted(self._latest):
            newest[key[0]] = key
        self._latest = {key: self._latest[key] for key in newest.values()}
        self._at_first = dict(self._latest)
        self.peaks = {}

    def lag(self) -> LagFigures:
        """Return how late the event loops were since :meth:`begin`, over all nodes."""
        return lag_figures(
            (self._at_first.get(key), numbers) for key, numbers in self._latest.items()
        )

    async def look(self, slot: NodeSlot) -> NodeNumbers | None:
        """Return a node's numbers now, None if it does not tell."""
        numbers = await self._ask(slot.process.port)
        if numbers is not None:
            self._latest[slot.name, numbers.started_at] = numbers
            peak = max(numbers.memory_bytes, self.peaks.get(slot.name, 0))
            self.peaks[slot.name] = peak
        return numbers

    async def look_at_all(self) -> dict[str, NodeNumbers]:
        """Return the numbers of the nodes that tell, by name."""
        found = await asyncio.gather(*(self.look(slot) for slot in self.slots))
        return {
            slot.name: numbers
            for slot, numbers in zip(self.slots, found, strict=True)
            if numbers is not None
        }

    async def _ask(self, port: int) -> NodeNumbers | None:
        if self._http is None:
            return None
        try:
            url = f"http://127.0.0.1:{port}/metrics"
            async with self._http.get(url, raise_for_status=True) as answer:
                return parse_numbers(await answer.text())
        except (aiohttp.ClientError, OSError, KeyError, ValueError):
            # TimeoutError is an OSError; a version of before these numbers lacks them.
            return None

    async def _run(self) -> None:
        while True:
            await self.look_at_all()
            await asyncio.sleep(LOOK_SECONDS)
