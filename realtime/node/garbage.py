"""What is thrown away in circles is collected soon, without blocking the loop for it.

Sessions and messages are freed by their reference counts. Circles are what failures
leave: an error, its traceback and the frames in it; a connection that redis-py could
not make. Python collects by the number of new objects, which on a calm node takes
hours, and then from all at once, which with 10,000 sessions takes 0.1 s.

What was free between other things is then given back to the operating system. glibc
does that only at the end of its heap, so that each storm would leave a node larger.
"""

import asyncio
import ctypes
import gc
import time
from collections.abc import Callable
from typing import Final

# Collections of the young, and of all, come this much later than by default (700, 10,
# 10; since Python 3.13 2,000, 10, 10): a storm of connects made several of all. The
# third is ignored by the incremental collector of Python 3.14.0 to 3.14.4.
_COLLECT_AFTER: Final = (10_000, 10, 100)

# How often what is new is looked through: at most 100,000 objects, in 10 ms. With the
# incremental collector a circle goes with the second look.
YOUNG_SECONDS: Final = 10.0

# How often everything is looked through, at most: 2 ms on a node of ten sessions.
ALL_SECONDS: Final = 60.0

# Share of the time that looking through everything, and giving back, may take. If it
# takes 0.1 s it is due every 17 minutes, and is not seen in a p99.9 of anything.
ALL_SHARE: Final = 1e-4


def _trimmer() -> Callable[[int], int]:
    """Return glibc's ``malloc_trim``; where there is none, what does nothing."""
    try:
        trim: Callable[[int], int] = ctypes.PyDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda _kept: 0
    return trim


class GarbageCollection:
    """Runs the garbage collector of this process by the clock.

    It is for a process of its own: the thresholds are the process's, and what there is
    at the start is never looked through again. Start it when all is imported.
    """

    def __init__(self) -> None:
        self._give_back = _trimmer()
        self._timer: asyncio.TimerHandle | None = None
        self._all_due = 0.0

    def start(self) -> None:
        """Begin to collect, in the running loop, until :meth:`close`."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_COLLECT_AFTER)
        loop = asyncio.get_running_loop()
        self._all_due = loop.time() + ALL_SECONDS
        self._timer = loop.call_later(YOUNG_SECONDS, self._collect, loop)

    def close(self) -> None:
        """Stop collecting by the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _collect(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() < self._all_due:
            gc.collect(1)
        else:
            # Of this thread: the machine may be busy with something else.
            began = time.thread_time()
            gc.collect()
            self._give_back(0)
            took = time.thread_time() - began
            self._all_due = loop.time() + max(ALL_SECONDS, took / ALL_SHARE)
        self._timer = loop.call_later(YOUNG_SECONDS, self._collect, loop)
