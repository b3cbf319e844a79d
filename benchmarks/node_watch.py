"""Reads the nodes' own numbers all through a run, from the nodes themselves."""

import asyncio
from collections.abc import Sequence
from typing import Self

from benchmarks.node_numbers import (
    LagFigures,
    NodeNumbers,
    lag_figures,
    parse_numbers,
)
from realtime.tasks import end_task
from verify.harness.site import Place
from verify.released import read_metrics

# Between two looks at a node: a SIGKILL loses what it did since the last one.
LOOK_SECONDS = 1.0


class NodeWatch:
    """The numbers of nodes that a run started, none of the user's own.

    A node that is away, or does not tell, is left out: looking never makes a run fail.

    Args:
        places: The nodes. They are asked at their own ports, past the faults.

    Attributes:
        peaks: The most memory that each node was seen with since :meth:`begin`, in
            bytes, by the node's name.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._processes = {each.name: each.process for each in places if each.process}
        self.peaks: dict[str, int] = {}
        self._latest: dict[tuple[str, float], NodeNumbers] = {}
        self._at_first: dict[tuple[str, float], NodeNumbers] = {}
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self._run(), name="node-watch")
        return self

    async def __aexit__(self, *_error: object) -> None:
        await end_task(self._running)

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

    async def look(self, name: str) -> NodeNumbers | None:
        """Return a node's numbers now, None if it does not tell."""
        process = self._processes.get(name)
        text = await read_metrics(process) if process else ""
        try:
            numbers = parse_numbers(text)
        except (KeyError, ValueError):
            return None
        self._latest[name, numbers.started_at] = numbers
        self.peaks[name] = max(numbers.memory_bytes, self.peaks.get(name, 0))
        return numbers

    async def _run(self) -> None:
        while True:
            await asyncio.gather(*(self.look(name) for name in self._processes))
            await asyncio.sleep(LOOK_SECONDS)
