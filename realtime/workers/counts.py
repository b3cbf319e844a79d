"""What the workers of a machine hold by name, for limits that are of all of them."""

from realtime.elsewhere import Elsewhere, Kind
from realtime.workers.table import Table


class SharedCounts(Elsewhere):
    """A worker's counts, and those of the others.

    Args:
        table: The shared table.
        index: This worker's row.
    """

    def __init__(self, table: Table, index: int) -> None:
        self._table = table
        self._row = table.rows[index]
        self._own = table.places_of(index)
        self._others = [
            (row, table.places_of(other))
            for other, row in enumerate(table.rows)
            if other != index
        ]

    def change(self, kind: Kind, name: str, by: int) -> None:
        """Tell the others that a name holds so many more here."""
        place = self._table.place_of(kind, name)
        self._own[place] = max(0, self._own[place] + by)

    def held(self, kind: Kind, name: str) -> int:
        """Return how many a name holds at the others."""
        place = self._table.place_of(kind, name)
        return sum(places[place] for _row, places in self._others)

    def change_unauthenticated(self, by: int) -> None:
        """Tell the others that so many more are unauthenticated here."""
        self._row.unauthenticated = max(0, self._row.unauthenticated + by)

    def unauthenticated(self) -> int:
        """Return how many connections of the others are unauthenticated."""
        return sum(row.unauthenticated for row, _places in self._others)
