"""How many messages a connection may bring: a count that is cheap to keep."""

import math
from typing import Final

LUMP_SECONDS: Final = 0.05
"""Messages of this long are read in one go from a client that is over its pace: few
enough for the others not to notice, many enough for a timer to pay."""


class Pace:
    """Messages of one connection, counted down; the clock is looked at rarely.

    Args:
        rate: Messages a second in the long run, and at once; None: any number.

    Attributes:
        left: Messages that may be read until :meth:`refill` is to be asked. Whoever
            reads one takes it from here.
    """

    __slots__ = ("_at", "_rate", "left")

    def __init__(self, rate: tuple[float, int] | None) -> None:
        self._rate = rate
        # When ``left`` was last filled up; at first nobody looks at the clock.
        self._at: float | None = None
        self.left: float = math.inf if rate is None else rate[1]

    def refill(self, now: float) -> float:
        """Fill up for the time that has passed; return the seconds to wait first.

        Args:
            now: Seconds of a clock that never goes back.
        """
        if self._rate is None:
            return 0.0
        per_second, burst = self._rate
        passed = 0.0 if self._at is None else now - self._at
        if passed >= LUMP_SECONDS:
            self._at, self.left = now, min(passed * per_second, burst)
            return 0.0
        self._at, self.left = now + LUMP_SECONDS, per_second * LUMP_SECONDS
        return LUMP_SECONDS
