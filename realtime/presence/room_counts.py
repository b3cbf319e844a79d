"""How many are here, or members, for rooms too large to announce everybody."""

import asyncio
import logging
from collections.abc import Callable

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts
from realtime.store.events import Template

_logger = logging.getLogger(__name__)

# Least time between two counts of a room from one node: a fan-out to thousands for each
# one who comes would cost more than the messages.
ANNOUNCE_SECONDS = 1.0


class RoomCounts:
    """Announces counts of large rooms, at most one a second, the last one always.

    Args:
        redis: The client that carries commands out.
        counted: Returns the key of a room's hash of those who count.
        event: Returns the event that tells a room's count, but for it.
        least: Rooms with a lower count are told nothing.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        counted: Callable[[str], str],
        event: Callable[[str], Template],
        least: int = 0,
    ) -> None:
        self._redis = redis
        self._counted = counted
        self._event = event
        self._least = least
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    @classmethod
    def of_presence(cls, redis: RedisClient) -> "RoomCounts":
        """Return the counts of users who are online."""
        return cls(redis, counted=keys.online, event=events.online_count)

    @classmethod
    def of_members(cls, redis: RedisClient, *, announce_members: int) -> "RoomCounts":
        """Return the counts of members, of rooms with more than so many."""
        return cls(
            redis,
            counted=keys.members,
            event=events.member_count,
            least=announce_members + 1,
        )

    def __len__(self) -> int:
        return len(self._changed)

    def changed(self, room: str) -> None:
        """Have a room's count announced soon."""
        self._changed.add(room)
        self._wake.set()

    async def run(self) -> None:
        """Announce until cancelled.

        What was not announced then, another node's next change will tell.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            rooms, self._changed = self._changed, set()
            try:
                while rooms:
                    await self._announce(rooms.pop())
            except ChatError as error:
                # Redis is away: what is true then is told when it is back.
                _logger.warning("Counts were not announced: %s", error.message)
            for room in rooms:
                self.changed(room)
            await asyncio.sleep(ANNOUNCE_SECONDS)

    async def _announce(self, room: str) -> None:
        """Announce a room's count, which is asked for and published in one step.

        So the last one that is published is the last one that was true, over all nodes.
        """
        event = self._event(room)
        try:
            await scripts.room_count(
                self._redis,
                counted=self._counted(room),
                least=self._least,
                channel=keys.wire_channel(room, self._redis.database),
                head=event.head,
                tail=event.tail,
            )
        except ChatError:
            self.changed(room)
            raise
        except Exception:
            _logger.exception("The count of room %s cannot be announced", room)
