"""A server under a shape of load, at one rate after the other."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.rate_search import Probe, probe_of
from benchmarks.stage import Stage

# Before each measured run, at the same rate: code is compiled, buffers are there.
WARM_SECONDS = 0.8

# For what is under way at the end of a run; more is an overload.
DRAIN_SECONDS = 3.0

# Runs of a rate that did not hold while others took the core, or the load was late.
TRIES = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """How the sessions sit, and where the search begins.

    Attributes:
        sessions: How many.
        rooms: Over how many rooms.
        begin: First rate, in messages a second.
        least: Rate below which nothing is tried.
    """

    sessions: int
    rooms: int
    begin: float
    least: float


SHAPES = {
    "rooms": Shape(sessions=1_000, rooms=100, begin=2_000, least=50),
    "room": Shape(sessions=1_000, rooms=1, begin=50, least=1),
}


class Trials:
    """A server under a shape of load; one that a rate broke is started anew.

    Args:
        shape: How its sessions sit.
        begin: Starts it, with its Redis and the load.
        seconds: Of a measured run.
    """

    def __init__(
        self,
        shape: Shape,
        begin: Callable[[], AbstractContextManager[Stage]],
        seconds: float,
    ) -> None:
        self._shape = shape
        self._begin = begin
        self._seconds = seconds
        self._running = contextlib.ExitStack()
        self._stage: Stage | None = None
        self._group = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, rate: float) -> Probe:
        """Try a rate; again if it did not hold and it may not have been the server."""
        for _ in range(TRIES):
            found = self._run(rate)
            if found.failed:
                self._end()
            if found.held or (found.clean and not found.void):
                break
        return found

    def _run(self, rate: float) -> Probe:
        if self._stage is None:
            shape = self._shape
            self._stage = self._running.enter_context(self._begin())
            joined = self._stage.load.connect(shape.sessions, shape.rooms, "room-")
            self._group = joined["group"]
        load = self._stage.load
        load.mode(self._group, f"rate {rate:.3f}")
        load.run(WARM_SECONDS, DRAIN_SECONDS)
        figures = self._stage.measured(lambda: load.run(self._seconds, DRAIN_SECONDS))
        return probe_of(figures, self._group, rate, self._seconds)

    def _end(self) -> None:
        self._stage = None
        self._running.close()
