"""What other processes of this machine hold, where one node is several of them.

Some limits are of a whole machine: a stranger who is held to five hundred connections
must not have five hundred at each process. Whoever counts for such a limit tells of
each change here, and adds what is held elsewhere before it decides.
"""

import enum
from typing import Final


class Kind(enum.IntEnum):
    """What is counted by name."""

    ADDRESS_CONNECTIONS = 0
    ADDRESS_UNAUTHENTICATED = 1
    ADDRESS_SESSIONS = 2
    USER_SESSIONS = 3


class Elsewhere:
    """The counts of a process that is alone: nothing is held elsewhere."""

    def change(self, kind: Kind, name: str, by: int) -> None:
        """Tell the others that a name holds so many more here."""

    def held(self, kind: Kind, name: str) -> int:
        """Return how many a name holds at the others."""
        return 0

    def change_unauthenticated(self, by: int) -> None:
        """Tell the others that so many more are unauthenticated here."""

    def unauthenticated(self) -> int:
        """Return how many connections of the others are unauthenticated."""
        return 0


ALONE: Final = Elsewhere()
