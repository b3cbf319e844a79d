"""Reactions in rooms that are too large to announce each one."""

import asyncio
import logging
from typing import Final

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts

_logger = logging.getLogger(__name__)

# Least time between two notices of a message from one node.
TELL_SECONDS: Final = 1.0

# Messages of a room that are told of in that time; the others wait for the next one.
MESSAGES_AT_ONCE: Final = 10

# Messages that wait, in all rooms of a node; beyond it the next change is told.
WAITING: Final = 10_000


class ReactionNotices:
    """Tells large rooms of reactions, the last count always.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._changed: dict[str, dict[int, None]] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._changed.values()))

    def changed(self, room: str, message: int) -> None:
        """Have a room told of a message's reactions soon."""
        if len(self) < WAITING:
            self._changed.setdefault(room, {})[message] = None
            self._wake.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for room in [*self._changed]:
                await self._tell_room(room)
            if self._changed:
                self._wake.set()
            await asyncio.sleep(TELL_SECONDS)

    async def _tell_room(self, room: str) -> None:
        waiting = self._changed[room]
        try:
            for message in [*waiting][:MESSAGES_AT_ONCE]:
                await self._tell(room, message)
                del waiting[message]
        except ChatError as error:
            # Redis is away: what is true then is told when it is back.
            _logger.warning("Reactions were not told: %s", error.message)
        except Exception:
            _logger.exception("The reactions of room %s cannot be told", room)
            waiting.clear()
        if not waiting:
            del self._changed[room]

    async def _tell(self, room: str, message: int) -> None:
        event = events.reactions(room, message)
        await scripts.reactions_tell(
            self._redis,
            reactions=keys.reactions(room),
            channel=keys.wire_channel(room, self._redis.database),
            message=message,
            head=event.head,
            tail=event.tail,
        )
