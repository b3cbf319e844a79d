"""How many messages a connection may bring by time: a count that is cheap to keep."""

import math
from typing import Final

# A client that is over its rate is read once in so many seconds, what the rate allows
# in these: few enough messages for the others not to notice, enough to pay for a timer.
LUMP_SECONDS: Final = 0.05


class MessageAllowance:
    """Messages of one connection, counted down; the clock is looked at rarely.

    Args:
        rate: Messages a second in the long run, and at once; None: any number.

    Attributes:
        left: Messages that may be read before :meth:`refill` must be called. The
            reader subtracts each message.
    """

    __slots__ = ("_at", "_rate", "left")

    def __init__(self, rate: tuple[float, int] | None) -> None:
        self._rate = rate
        # When ``left`` was last filled up; None before the first burst is used up.
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
