"""Departures: taking ended sessions off the rooms' lists without a storm."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final

from realtime.errors import ChatError
from realtime.presence.presence import Presence

_logger = logging.getLogger(__name__)

# Departures told to Redis in one go. Ten thousand sessions may end in one moment; a
# message that is sent then waits behind some 5 ms of them, not behind all.
TOGETHER: Final = 200


class Departures:
    """A queue of what is to be taken off the lists, in the order it ended.

    It holds at most what the node has listed: a room and a session each.

    Args:
        presence: The session lists over all nodes.
        attends: Tells of a room and a session id whether the session is there, again
            perhaps: then it stays on the list.
        failed: Called when some could not be told: the lists are unsure then.
    """

    def __init__(
        self,
        presence: Presence,
        *,
        attends: Callable[[str, str], bool],
        failed: Callable[[], None],
    ) -> None:
        self._presence = presence
        self._attends = attends
        self._failed = failed
        self._waiting: deque[tuple[str, str]] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, room: str, sid: str) -> None:
        """Have a session taken off a room's list, soon."""
        self._waiting.append((room, sid))
        self._wake.set()

    async def run(self) -> None:
        """Tell Redis until cancelled; what is left is swept with the node's lease."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._tell_some()

    async def _tell_some(self) -> None:
        count = min(TOGETHER, len(self._waiting))
        ended = [self._waiting.popleft() for _ in range(count)]
        # Sent in the step in which it is asked: who comes back later is listed later.
        batch = [pair for pair in ended if not self._attends(*pair)]
        if not batch:
            return
        try:
            await self._presence.leave_all(batch)
        except ChatError as error:
            _logger.warning(
                "%d departures were not told: %s", len(batch), error.message
            )
            self._failed()
        except Exception:
            _logger.exception("%d departures could not be told", len(batch))
            self._failed()
