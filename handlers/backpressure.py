"""Long answers: one at a time on each line, and no line is cut for asking for two.

Who was away in two busy rooms may ask for both at once, or again because the first
answer takes long on a slow line, or for many pages of a room's history. A connection
for which that much waits would be closed, and the client would come back and ask for
the same.
"""

from collections.abc import Callable
from typing import Final, Protocol

from realtime.errors import UnavailableError

# When to ask again, in milliseconds. The refusal itself arrives behind the answer that
# is in the way.
BEHIND_RETRY_MS: Final = 1_000


class Connection(Protocol):
    """What is asked of a client's connection."""

    def can_buffer(self, size: int) -> bool:
        """Tell whether so many bytes may wait for it beside what does already."""
        ...


def allow_to(connection: Connection | None) -> Callable[[int], None]:
    """Return what allows the parts of one answer, given the bytes of each.

    Args:
        connection: Where the answer goes; None: there is none any more.

    Raises:
        UnavailableError: by what is returned: this part does not fit in beside what
            is on its way.
    """
    allowed = 0

    def allow(size: int) -> None:
        nonlocal allowed
        if connection is not None and not connection.can_buffer(allowed + size):
            raise UnavailableError(
                "A long answer is on its way to you; ask again.",
                retry_after_ms=BEHIND_RETRY_MS,
                limit="write_buffer_bytes",
            )
        allowed += size

    return allow
