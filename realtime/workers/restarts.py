"""When a worker that ended is started again, and when it is given up."""

from typing import Final

# The first start again, and the longest wait of the later ones.
FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 10.0

# So many ends within this time, and its place stays empty: it is no accident.
DEATHS: Final = 5
WITHIN_SECONDS: Final = 60.0


class Restarts:
    """The ends of one slot's workers."""

    def __init__(self) -> None:
        self._ends: list[float] = []
        self.due: float | None = None
        """When to start the next one; None: not before it is asked for."""

    @property
    def has_given_up(self) -> bool:
        """Whether its workers ended too often."""
        return len(self._ends) >= DEATHS

    def ended(self, now: float) -> None:
        """Take note of an end: the next start is due later each time."""
        self._ends = [each for each in self._ends if now - each < WITHIN_SECONDS]
        pause = FIRST_PAUSE_SECONDS * 3 ** len(self._ends)
        self._ends.append(now)
        self.due = None
        if not self.has_given_up:
            self.due = now + min(pause, LONGEST_PAUSE_SECONDS)

    def begin_anew(self) -> None:
        """Forget what was: a worker of another version is started."""
        self._ends.clear()
        self.due = None
