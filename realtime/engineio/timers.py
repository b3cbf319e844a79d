"""Deadlines of all sessions on one timer of the event loop.

A session has no timer of its own. Everything that waits the same time waits in one
:class:`TimeoutQueue`, in the order it came, so the next to be due is always the first.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, Generic, TypeVar

_logger = logging.getLogger(__name__)

# Due items handled before the event loop gets its turn: about a millisecond of pings.
_ITEMS_A_TURN: Final = 200

T = TypeVar("T", bound=Hashable)


class Timers:
    """The one timer of a server, behind all its queues. Idle when they are empty.

    It belongs to the event loop that runs when it is first used.
    """

    def __init__(self) -> None:
        self._queues: list[TimeoutQueue[Any]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_turn: asyncio.Handle | None = None

    def register(self, queue: "TimeoutQueue[Any]") -> None:
        """Look after a queue; each does this when it is made."""
        self._queues.append(queue)

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    def time(self) -> float:
        """Return the loop's time in seconds."""
        return self._running_loop().time()

    def wake_at(self, due: float) -> None:
        """Make sure that the queues are looked at when it is ``due``, loop time."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._running_loop().call_at(due, self._on_timer)

    def close(self) -> None:
        """Stop the timer; nothing becomes due any more."""
        for handle in (self._timer, self._next_turn):
            if handle is not None:
                handle.cancel()
        self._timer = self._next_turn = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _on_timer(self) -> None:
        self._timer = None
        if self._next_turn is None:
            self._expire_some()

    def _expire_some(self) -> None:
        self._next_turn = None
        now = self.time()
        for queue in self._queues:
            if queue.expire(now, _ITEMS_A_TURN) == _ITEMS_A_TURN:
                self._next_turn = self._running_loop().call_soon(self._expire_some)
                return
        dues = [due for queue in self._queues if (due := queue.next_due()) is not None]
        if dues:
            self.wake_at(min(dues))


class TimeoutQueue(Generic[T]):
    """Items that are due the same time after they were added; O(1) throughout.

    Args:
        timers: The server's timer.
        seconds: The time that each item has.
        on_due: Called once with each item whose time is over, and the loop time in
            seconds at which it was.
    """

    def __init__(
        self, timers: Timers, seconds: float, on_due: Callable[[T, float], None]
    ) -> None:
        self.seconds = seconds
        self._timers = timers
        self._on_due = on_due
        self._due: OrderedDict[T, float] = OrderedDict()
        timers.register(self)

    def add(self, item: T, start: float | None = None) -> None:
        """Start the item's time, anew if it was there.

        Args:
            item: What is to be due.
            start: Loop time in seconds to count from; now, if None.
        """
        due = (self._timers.time() if start is None else start) + self.seconds
        self._due.pop(item, None)
        first = not self._due
        self._due[item] = due
        if first:
            self._timers.wake_at(due)

    def discard(self, item: T) -> bool:
        """Take the item out; return whether it was in."""
        return self._due.pop(item, None) is not None

    def due(self, item: T) -> float | None:
        """Return the loop time in seconds at which the item is due, None if out."""
        return self._due.get(item)

    def pop_first(self) -> T | None:
        """Take out the item that is due next and return it; None if there is none."""
        return self._due.popitem(last=False)[0] if self._due else None

    def items(self) -> list[T]:
        """Return what waits here, the next to be due first."""
        return list(self._due)

    def __len__(self) -> int:
        return len(self._due)

    def next_due(self) -> float | None:
        """Return when the first item is due, loop time in seconds."""
        for due in self._due.values():
            return due
        return None

    def expire(self, now: float, at_most: int) -> int:
        """Call ``on_due`` for what is due; return how many there were."""
        count = 0
        while self._due and count < at_most:
            item = next(iter(self._due))
            due = self._due[item]
            if due > now:
                break
            del self._due[item]
            count += 1
            try:
                self._on_due(item, due)
            except Exception:
                # One item must not stop the others.
                _logger.exception("Deadline of %r failed", item)
        return count
