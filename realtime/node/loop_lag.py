"""How late the event loop runs what is due: the measure of a loop that is blocked."""

import asyncio
import signal
import threading
import time
from bisect import bisect_left
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

# Between two probes: a block of 100 ms is seen wherever it falls, and 50 timers a
# second cost a node less than a thousandth of a core.
PROBE_SECONDS: Final = 0.02

# Upper bounds in seconds, finer around the 100 ms that people begin to feel.
BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.15, 0.25, 0.5, 1.0, 2.5),
)

# Probes counted for one block: those of its last 20 s.
COUNTED_AT_MOST: Final = 1_000


class LoopLag:
    """Probes the event loop and keeps a histogram of how late it was.

    A probe that is late has kept others from being made. They are counted as if they
    had been, so that a share of probes is a share of time: p99.9 is how long something
    waits that becomes due at a moment by chance.

    A process that was stopped (SIGSTOP, a debugger) and goes on has not blocked its
    loop: SIGCONT discards the probe that was under way. Only the main thread can listen
    to it; elsewhere a stop counts as a block.

    Attributes:
        counts: Probes by the bucket of :data:`BUCKETS` that they fell into; the last
            one counts those above all bounds.
        sum_seconds: Of all lags.
        worst_seconds: The longest lag since the start.
        worst_busy_seconds: CPU time of the loop's thread in that one. Much less than
            the lag: something waited without computing, or the machine was busy.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum_seconds = 0.0
        self.worst_seconds = 0.0
        self.worst_busy_seconds = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._busy_before = 0.0
        self._was_stopped = False

    def start(self) -> None:
        """Begin to probe the running loop, until :meth:`close`."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            _Continuations.listen(self)
            self._plan(self._loop)

    def close(self) -> None:
        """Stop probing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            _Continuations.ignore(self)

    def discard(self) -> None:
        """Do not count the probe that is under way."""
        self._was_stopped = True

    def _plan(self, loop: asyncio.AbstractEventLoop) -> None:
        # First: a stop from here on, also in the midst of this, is one of this probe.
        self._was_stopped = False
        self._due = loop.time() + PROBE_SECONDS
        self._busy_before = time.thread_time()
        self._timer = loop.call_at(self._due, self._probe, loop)

    def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        # Before the question: a stop between the two would be counted.
        lag = max(0.0, loop.time() - self._due)
        if not self._was_stopped:
            self._count(lag)
        self._plan(loop)

    def _count(self, lag: float) -> None:
        if lag > self.worst_seconds:
            self.worst_seconds = lag
            self.worst_busy_seconds = time.thread_time() - self._busy_before
        for _ in range(COUNTED_AT_MOST):
            self.counts[bisect_left(BUCKETS, lag)] += 1
            self.sum_seconds += lag
            lag -= PROBE_SECONDS
            if lag <= 0:
                return


class _Continuations:
    """The process's one listener to SIGCONT, for all loops that are probed.

    A handler set by ``loop.add_signal_handler`` would run after the late probe; one of
    ``signal.signal`` runs before anything else does.
    """

    _listening: Final[set[LoopLag]] = set()
    _before: Callable[[int, FrameType | None], Any] | int | None = signal.SIG_DFL

    @classmethod
    def listen(cls, lag: LoopLag) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        if not cls._listening:
            cls._before = signal.signal(signal.SIGCONT, cls._continued)
        cls._listening.add(lag)

    @classmethod
    def ignore(cls, lag: LoopLag) -> None:
        if lag in cls._listening:
            cls._listening.remove(lag)
            if not cls._listening:
                signal.signal(signal.SIGCONT, cls._before)

    @classmethod
    def _continued(cls, number: int, frame: FrameType | None) -> None:
        for lag in cls._listening:
            lag.discard()
        if callable(cls._before):
            cls._before(number, frame)
