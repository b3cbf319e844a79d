"""What clients that have proven nothing yet make a server hold, in bytes."""

from collections import Counter
from typing import Final

# Heads, bodies and messages that are not all there yet, of all connections without a
# session: 768 of the longest. With the connections themselves, and with answers that
# nobody takes, strangers have 64 MiB.
UNAUTHENTICATED_BYTES: Final = 25_165_824

# Most that one read of such a connection brings: what comes behind what is being
# handled, and is not looked at yet, is no more either.
UNAUTHENTICATED_READ_BYTES: Final = 16_384


class HeldBytes:
    """The bytes that unauthenticated connections make a server hold, all together.

    Args:
        limited: Counts how often the limit was met.

    Attributes:
        total: How many there are.
    """

    def __init__(self, limited: Counter[str]) -> None:
        self._limited = limited
        self.total = 0

    def change(self, before: int, now: int) -> bool:
        """Count what a connection makes us hold now; return whether it may."""
        self.total += now - before
        if now <= before or self.total <= UNAUTHENTICATED_BYTES:
            return True
        self._limited["unauthenticated_bytes"] += 1
        return False
