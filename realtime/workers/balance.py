"""Which worker a new session should be at, so that all have about as many.

The kernel spreads connections by a hash: about evenly, but by chance; a worker that was
started anew would have few for days, since connections stay where they are.
"""

from collections.abc import Callable
from typing import Final

from realtime.workers.table import Row, State, Table

# A worker keeps a new session while it has at most so many more than the one that has
# the fewest: some, and a part of these. To hand one over costs a tenth of a handshake.
SLACK: Final = 2
SLACK_SHARE: Final = 1 / 32


class Balance:
    """Decides who takes a new session.

    Args:
        table: What all workers have.
        own: This worker's row.
        count: Returns how many sessions this worker has.
    """

    def __init__(self, table: Table, own: Row, count: Callable[[], int]) -> None:
        self._table = table
        self._own = own
        self._count = count
        # Sessions that have begun here since the last look, and those handed to a
        # worker since it last said how many it has: by number, with what it said.
        self._base = self._begun = 0
        self._given: dict[int, tuple[int, int]] = {}

    def publish(self) -> None:
        """Tell the others how many there are now; called some times a second."""
        self._base, self._begun = self._count(), 0
        self._own.sessions = self._base

    def began(self) -> None:
        """Take note of a session that begins here."""
        self._begun += 1
        self._own.sessions = self._here

    def choose(self) -> int | None:
        """Return the number of the worker that should take it; None: this one."""
        least = self.other()
        if least is None:
            return None
        fewest = self._expected(least)
        is_well = self._own.state == State.READY
        if is_well and self._here <= fewest + SLACK + fewest * SLACK_SHARE:
            return None
        said, given = self._given.get(least.number, (least.sessions, 0))
        given = given + 1 if said == least.sessions else 1
        self._given[least.number] = least.sessions, given
        return least.number

    def other(self) -> Row | None:
        """Return the other worker that has the fewest sessions, if one is ready."""
        others = (row for row in self._table.ready() if row.number != self._own.number)
        return min(others, key=self._expected, default=None)

    @property
    def _here(self) -> int:
        """Sessions of this worker, those included that are only coming in."""
        return max(self._count(), self._base + self._begun)

    def _expected(self, row: Row) -> int:
        said, given = self._given.get(row.number, (-1, 0))
        return row.sessions + (given if said == row.sessions else 0)

    def forget_all_but(self, numbers: set[int]) -> None:
        """Let go of what was noted of workers that are no more."""
        for number in self._given.keys() - numbers:
            del self._given[number]
