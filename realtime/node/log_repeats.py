"""Lines of one kind that come by the thousand are shown a few times, then counted.

Strangers choose how often some lines are written: a refused origin, a request that is
no HTTP. So a kind, which is the place in the code that logs, has a number of lines in a
period; the first line of a later period says how many were left out.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

PERIOD_SECONDS: Final = 10.0

# Enough to see what happens and to whom.
LINES_A_PERIOD: Final = 10


class RepeatFilter(logging.Filter):
    """Lets a few lines of each kind pass in each period.

    Args:
        left_out: Called for each line that is not shown.
        clock: Seconds; never goes back.
    """

    def __init__(
        self,
        left_out: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._left_out = left_out
        self._clock = clock
        # By kind: when its period began, and the lines since.
        self._kinds: dict[tuple[str, str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is shown; one that is may tell of others before it."""
        kind = (record.name, record.pathname, record.lineno)
        now = self._clock()
        began, lines = self._kinds.get(kind, (now, 0))
        left_out = 0
        if now - began >= PERIOD_SECONDS:
            left_out = max(0, lines - LINES_A_PERIOD)
            began, lines = now, 0
        self._kinds[kind] = (began, lines + 1)
        if left_out:
            # Of what kind it is stays the same.
            record.template = record.msg
            record.msg = f"{record.getMessage()} ({left_out} more lines like this one)"
            record.args = ()
        if lines < LINES_A_PERIOD:
            return True
        self._left_out()
        return False
