"""Keeps the loop from being blocked when thousands of connections speak at once.

asyncio handles everything that a ``select()`` reports before it looks at timers or
anything else. Ten thousand connections that are lost in one moment would block the
loop for as long as all their cleaning up takes.
"""

import asyncio
import gc
import selectors
from typing import Final

# Ready connections handled in one turn of the loop: some 10 ms of work if each of them
# is lost, 3 ms if each brings a message.
_EVENTS_A_TURN: Final = 128

# Collections of the young, and of all, objects come this much later than by default
# (700, 10, 10). Sessions are freed by their reference counts; a full collection of a
# node with 10,000 of them takes 0.1 s, and a storm of connects made several. The middle
# number bounds what outlives one collection of the young and is then thrown away in a
# circle, as the errors of an outage are: 100,000 objects, found in 10 ms.
_COLLECT_AFTER: Final = (10_000, 10, 100)

_Ready = list[tuple[selectors.SelectorKey, int]]


class FairSelector(selectors.DefaultSelector):
    """Reports a bounded number of ready connections, each in its turn.

    What is left out is ready still, and is reported by the next call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin = 0

    def select(self, timeout: float | None = None) -> _Ready:
        """Return at most :data:`_EVENTS_A_TURN` of what is ready."""
        ready = super().select(timeout)
        if len(ready) <= _EVENTS_A_TURN:
            return ready
        # The kernel always begins with the same ones; whoever was not served goes
        # first next time, so that busy connections cannot keep out the others.
        begin = self._begin % len(ready)
        self._begin = begin + _EVENTS_A_TURN
        return (ready[begin:] + ready[:begin])[:_EVENTS_A_TURN]


def calm_garbage_collector() -> None:
    """Keep the garbage collector from blocking the loop; call once all is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop; for ``asyncio.Runner(loop_factory=new_event_loop)``."""
    return asyncio.SelectorEventLoop(FairSelector())
