"""Tells connected clients that Redis is away, and that it is back."""

import asyncio
from collections.abc import Callable
from typing import Final

# How often the parts are asked. They answer from memory.
LOOK_SECONDS: Final = 0.25

# How long an outage lasts before it is told: a reconnect is no news.
TELL_SECONDS: Final = 1.0


class OutageWatch:
    """Announces the end and the return of service, each once.

    Args:
        is_up: Whether Redis serves this node.
        tell: Tells all sessions of this node whether service is available.
        clock: Seconds; never goes back.
    """

    def __init__(
        self,
        *,
        is_up: Callable[[], bool],
        tell: Callable[[bool], None],
        clock: Callable[[], float],
    ) -> None:
        self._is_up = is_up
        self._tell = tell
        self._clock = clock
        self._up_at = clock()
        self._told_away = False

    def look(self) -> None:
        """Compare once, and tell what changed."""
        now = self._clock()
        if self._is_up():
            self._up_at = now
            if self._told_away:
                self._told_away = False
                self._tell(True)
        elif not self._told_away and now - self._up_at >= TELL_SECONDS:
            self._told_away = True
            self._tell(False)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)
