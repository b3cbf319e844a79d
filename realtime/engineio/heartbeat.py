"""Deadlines of all sessions on one timer, and the heartbeat that uses them.

A session has no timer of its own. Everything that waits the same time waits in one
:class:`Lane`, in the order it came, so the next to be due is always the first.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

_logger = logging.getLogger(__name__)

# Due items handled before the event loop gets its turn: about a millisecond of pings.
_CHUNK = 200
# A ping that is late by more than this share of the time for its answer was held up by
# a blocked loop; the deadline then counts from the sending, not from when it was due.
_LATE_SHARE = 0.25
# How many ping timeouts a session is spared whose pong may be behind something else:
# what we do not read for now, or an image on its way up. Then handlers are taken to
# hang, or the sender to be one that only dribbles.
_SPARED_ROUNDS = 5

T = TypeVar("T", bound=Hashable)


class Lane(Generic[T]):
    """Items that are due the same time after they were added; O(1) throughout."""

    def __init__(
        self, wheel: "Wheel", seconds: float, on_due: Callable[[T, float], None]
    ) -> None:
        self.seconds = seconds
        self._wheel = wheel
        self._on_due = on_due
        self._due: OrderedDict[T, float] = OrderedDict()

    def add(self, item: T, start: float | None = None) -> None:
        """Start the item's time, anew if it was there.

        Args:
            item: What ``on_due`` will be called with, once, and with when it was due.
            start: Loop time in seconds to count from; now, if None.
        """
        due = (self._wheel.time() if start is None else start) + self.seconds
        self._due.pop(item, None)
        first = not self._due
        self._due[item] = due
        if first:
            self._wheel.wake_at(due)

    def discard(self, item: T) -> bool:
        """Take the item out; return whether it was in."""
        return self._due.pop(item, None) is not None

    def due(self, item: T) -> float | None:
        """Return the loop time in seconds at which the item is due, None if out."""
        return self._due.get(item)

    def pop_first(self) -> T | None:
        """Take the next to be due out and return it; None if nothing waits."""
        return self._due.popitem(last=False)[0] if self._due else None

    def items(self) -> list[T]:
        """Return what waits here, the next to be due first."""
        return list(self._due)

    def __len__(self) -> int:
        return len(self._due)

    def next_due(self) -> float | None:
        """Return when the first item is due."""
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


class Wheel:
    """The one timer of a server. Idle when no lane has an item.

    It belongs to the event loop that runs when it is first used.
    """

    def __init__(self) -> None:
        self._lanes: list[Lane[object]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._next_chunk: asyncio.Handle | None = None

    def lane(self, seconds: float, on_due: Callable[[T, float], None]) -> Lane[T]:
        """Return a new lane whose items are due ``seconds`` after they are added."""
        lane = Lane(self, seconds, on_due)
        self._lanes.append(lane)  # type: ignore[arg-type] # lanes differ in their items
        return lane

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def time(self) -> float:
        """Return the loop's time in seconds."""
        return self._running_loop().time()

    def wake_at(self, due: float) -> None:
        """Make sure that the wheel looks at its lanes at ``due``, loop time."""
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._running_loop().call_at(due, self._on_timer)

    def close(self) -> None:
        """Stop the timer; nothing becomes due any more."""
        for handle in (self._timer, self._next_chunk):
            if handle is not None:
                handle.cancel()
        self._timer = self._next_chunk = None

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def _on_timer(self) -> None:
        self._timer = None
        if self._next_chunk is None:
            self._turn()

    def _turn(self) -> None:
        self._next_chunk = None
        now = self.time()
        for lane in self._lanes:
            if lane.expire(now, _CHUNK) == _CHUNK:
                self._next_chunk = self._running_loop().call_soon(self._turn)
                return
        dues = [due for lane in self._lanes if (due := lane.next_due()) is not None]
        if dues:
            self.wake_at(min(dues))


class Beating(Hashable, Protocol):
    """What the heartbeat needs of a session."""

    @property
    def is_excused(self) -> bool:
        """Whether its pong may be late without being lost."""

    @property
    def unsent(self) -> int:
        """Bytes on their way to the client that the network has not taken yet."""

    def ping(self) -> None:
        """Send a ping packet."""

    def time_out(self) -> None:
        """End the session: no pong came in time."""


class Heartbeat:
    """Section "Heartbeat" of the Engine.IO protocol, for all sessions.

    A ping goes out ``interval`` seconds after the session began or its last pong came;
    the session ends when no pong comes within ``timeout`` seconds. A client that reads
    what is on its way, such as a long answer, has that time anew: the ping is behind.

    Args:
        wheel: The server's timer.
        interval: Seconds.
        timeout: Seconds.
        enforced: Whether a missing pong ends the session.
    """

    def __init__(
        self, wheel: Wheel, *, interval: float, timeout: float, enforced: bool = True
    ) -> None:
        self._wheel = wheel
        self._enforced = enforced
        self._waiting: Lane[Beating] = wheel.lane(interval, self._send_ping)
        self._pinged: Lane[Beating] = wheel.lane(timeout, self._miss)
        self._spared: dict[Beating, int] = {}
        # What was unsent when time was last given anew; of few sessions.
        self._unsent: dict[Beating, int] = {}

    def start(self, session: Beating, at: float) -> None:
        """Begin with a session whose handshake was at loop time ``at``."""
        self._waiting.add(session, at)

    def pong(self, session: Beating) -> None:
        """Note a pong; one that answers no ping changes nothing."""
        if self._pinged.discard(session):
            self._forget_rounds(session)
            self._waiting.add(session)

    def stop(self, session: Beating) -> None:
        """Forget a session."""
        self._waiting.discard(session)
        self._pinged.discard(session)
        self._forget_rounds(session)

    def is_overdue(self, session: Beating) -> bool:
        """Return whether the session's time is over, though the timer is yet to say.

        A request may be read in the very turn of the loop in which a timer is due.
        """
        now = self._wheel.time()
        due = self._pinged.due(session)
        if due is None:
            due = self._waiting.due(session)
            if due is not None:
                due += self._pinged.seconds
        is_over = self._enforced and due is not None and due <= now
        return is_over and not session.is_excused and not self._reads(session)

    def _send_ping(self, session: Beating, due: float) -> None:
        now = self._wheel.time()
        if self._enforced:
            is_late = now - due > self._pinged.seconds * _LATE_SHARE
            self._pinged.add(session, now if is_late else due)
        else:
            self._waiting.add(session)
        session.ping()

    def _miss(self, session: Beating, _due: float) -> None:
        if self._reads(session):
            self._unsent[session] = session.unsent
            self._pinged.add(session)
            return
        rounds = self._spared.get(session, 0)
        if session.is_excused and rounds < _SPARED_ROUNDS:
            self._spared[session] = rounds + 1
            self._pinged.add(session)
            return
        self._forget_rounds(session)
        session.time_out()

    def _reads(self, session: Beating) -> bool:
        """Return whether less is unsent than the last time, or the first time anything.

        Whether the ping is behind it is not known: with a poll's answer it may be.
        """
        before = self._unsent.get(session)
        return session.unsent > 0 if before is None else session.unsent < before

    def _forget_rounds(self, session: Beating) -> None:
        self._spared.pop(session, None)
        self._unsent.pop(session, None)
