"""Which rooms are marked for the hook, remembered for some seconds."""

from collections.abc import Awaitable, Callable
from typing import Final

# Time in which a node hears of a change of the mark.
KEPT_SECONDS: Final = 5.0

# Rooms that are remembered: some 2 MB. More are forgotten all at once.
KEPT_ROOMS: Final = 10_000


class MarkedRooms:
    """Looks marks up, once in a while for each room.

    Args:
        look_up: Returns whether a room is marked.
        clock: Seconds; never goes back.
    """

    def __init__(
        self, look_up: Callable[[str], Awaitable[bool]], clock: Callable[[], float]
    ) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[str, tuple[float, bool]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def has(self, room: str) -> bool:
        """Return whether a room is marked, as it was some seconds ago.

        Raises:
            ChatError: Redis does not say.
        """
        until, marked = self._known.get(room, (0.0, False))
        if self._clock() < until:
            return marked
        marked = await self._look_up(room)
        if len(self._known) >= KEPT_ROOMS:
            self._known.clear()
        self._known[room] = (self._clock() + KEPT_SECONDS, marked)
        return marked
