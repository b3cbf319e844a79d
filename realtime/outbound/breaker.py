"""Leaves alone for a while what has failed again and again."""

from collections.abc import Callable
from typing import Final

# Failures in a row after which nothing is asked.
FAILURES: Final = 5

# Seconds for which nothing is asked then: what is down is not helped by being called.
OPEN_SECONDS: Final = 10.0

# Seconds for one to try whether it is well again, while the others are not let through.
TRIAL_SECONDS: Final = 2.0


class Breaker:
    """A circuit breaker: closed, open, or half open while one call tries.

    Args:
        clock: Seconds; never goes back.
        trial_seconds: For one to try, as long as a call may take.
    """

    def __init__(
        self, clock: Callable[[], float], *, trial_seconds: float = TRIAL_SECONDS
    ) -> None:
        self._clock = clock
        self._trial_seconds = trial_seconds
        self._failures = 0
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are not let through."""
        return self._until is not None

    def wait_seconds(self) -> float:
        """Return 0 to whoever may call now, else the seconds until somebody may."""
        if self._until is None:
            return 0.0
        now = self._clock()
        if now < self._until:
            return self._until - now
        self._until = now + self._trial_seconds
        return 0.0

    def succeeded(self) -> None:
        """Take note of an answer."""
        self._failures, self._until = 0, None

    def failed(self) -> None:
        """Take note that there was none."""
        self._failures += 1
        if self._failures >= FAILURES:
            self.hold(OPEN_SECONDS)

    def hold(self, seconds: float) -> None:
        """Let nobody call for a while: longer than so far, never shorter."""
        self._until = max(self._until or 0.0, self._clock() + seconds)
