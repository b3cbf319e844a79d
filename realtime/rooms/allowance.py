"""Long answers: each held to the write buffer, one at a time on each line.

Who was away in two busy rooms may ask for both at once, or again because the first
answer takes long on a slow line, or for many pages of a room's history. A connection
for which that much waits would be closed, and the client would come back and ask for
the same; and one answer without a bound would stop everybody while it is made.
"""

from typing import Final, Protocol

from realtime.errors import UnavailableError

# When to ask again, in milliseconds, if another answer is in the way. The refusal
# itself arrives behind that.
BEHIND_RETRY_MS: Final = 1_000

# When to ask again, in milliseconds, for a room that this answer has no place for.
FULL_RETRY_MS: Final = 50


class Connection(Protocol):
    """What is asked of a client's connection."""

    def can_buffer(self, size: int) -> bool:
        """Tell whether so many bytes may wait for it beside what does already."""
        ...


class Allowance:
    """The bytes of one answer, while it is read and when it is put together.

    Args:
        connection: Where the answer goes; None: there is none any more.
        limit: Bytes that one answer may have.

    Attributes:
        limit: Bytes that one answer may have.
    """

    def __init__(self, connection: Connection | None, limit: int) -> None:
        self._connection = connection
        self.limit = limit
        self._read = 0
        self._taken = 0

    def may_read(self) -> int:
        """Return how many bytes may be read for the answer.

        Raises:
            UnavailableError: As many as it may have were read: ask again.
        """
        left = self.limit - self._read
        if left <= 0:
            raise self.full()
        return left

    def read(self, size: int) -> None:
        """Take note of bytes that were read, and may turn out to be too many."""
        self._read += size

    @property
    def is_used(self) -> bool:
        """Whether a part of the answer was counted."""
        return self._taken > 0

    def fits(self, size: int) -> bool:
        """Count a part of the answer if there is a place for it, and tell whether."""
        taken = self._taken + size
        if taken > self.limit or not self._may_wait(taken):
            return False
        self._taken = taken
        return True

    def require_line(self) -> None:
        """Refuse to answer in part where a later answer may be whole.

        Raises:
            UnavailableError: Another long answer is on its way.
        """
        if not self._may_wait(self.limit):
            raise self.full()

    def take(self, size: int) -> None:
        """Count a part of the answer; the first one if it is too long as well.

        Raises:
            UnavailableError: There is no place for it.
        """
        if self.is_used or not self._may_wait(size):
            if not self.fits(size):
                raise self.full()
        else:
            self._taken = size

    def _may_wait(self, size: int) -> bool:
        return self._connection is None or self._connection.can_buffer(size)

    def full(self) -> UnavailableError:
        """Return the error of who asked for more than there is a place for."""
        if not self._may_wait(self.limit):
            return UnavailableError(
                "A long answer is on its way to you; ask again.",
                retry_after_ms=BEHIND_RETRY_MS,
                limit="write_buffer_bytes",
            )
        return UnavailableError(
            "One answer does not hold all that was asked for; ask again.",
            retry_after_ms=FULL_RETRY_MS,
            limit="write_buffer_bytes",
        )
