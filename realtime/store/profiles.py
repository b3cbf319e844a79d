"""What users are called and shown by, as their tokens last said."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

import orjson

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import keys
from realtime.tasks import gather_started

_logger = logging.getLogger(__name__)

# How long a profile is kept after its user connected last: who has been away for longer
# is shown by id.
KEPT_SECONDS: Final = 180 * 24 * 3_600

# Profiles written in one round trip.
WRITTEN_TOGETHER: Final = 100

# Users whose profiles wait to be written, while Redis is away: some 10 MB. What is
# beyond is written when they connect next.
WAITING: Final = 10_000

# Until what could not be written is tried again, in seconds.
RETRY_SECONDS: Final = 1.0


class Profile(NamedTuple):
    """A user, and what others are shown of them, if anything."""

    user: str
    name: str | None
    picture: str | None

    def to_wire(self) -> dict[str, str]:
        """Return the members that there are."""
        return {key: value for key, value in self._asdict().items() if value}


class Profiles:
    """Profiles in Redis: written behind the connects, read for the members of a room.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._waiting: dict[str, Profile] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return how many wait to be written."""
        return len(self._waiting)

    def note(self, user: str, name: str | None, picture: str | None) -> None:
        """Have what a user is called written soon; the last word counts."""
        if len(self._waiting) >= WAITING and user not in self._waiting:
            _logger.warning("A profile is left out: %s wait to be written", WAITING)
            return
        self._waiting[user] = Profile(user, name, picture)
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                try:
                    await self._write()
                except ChatError as error:
                    _logger.warning("Profiles are written later: %s", error.message)
                    await asyncio.sleep(RETRY_SECONDS)
                except ReplyError:
                    # What is wrong with some must not keep back the others.
                    _logger.exception("Profiles cannot be written")
                    self._waiting.clear()

    async def _write(self) -> None:
        """Write some; they wait no more once they are written as they are now."""
        together = list(self._waiting.values())[:WRITTEN_TOGETHER]
        await gather_started(*map(self._store, together))
        for profile in together:
            if self._waiting.get(profile.user) is profile:
                del self._waiting[profile.user]

    def _store(self, profile: Profile) -> "asyncio.Future[object]":
        key = keys.user_profile(profile.user)
        _, *shown = profile
        if not any(shown):
            return self._redis.call("DEL", key)
        return self._redis.call("SET", key, orjson.dumps(shown), "EX", KEPT_SECONDS)

    async def of_members(self, room: str, users: Sequence[str]) -> list[Profile]:
        """Return the profiles of those users who are members of a room, in order.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        if not users:
            return []
        records = await self._redis.call("HMGET", keys.members(room), *users)
        pairs = zip(users, records, strict=True)
        return await self.of_users([user for user, record in pairs if record])

    async def of_users(self, users: Sequence[str]) -> list[Profile]:
        """Return the profiles of users, in order; of who has none without a name."""
        found = await gather_started(
            *(self._redis.call("GET", keys.user_profile(user)) for user in users)
        )
        return [
            Profile(user, *(orjson.loads(stored) if stored else (None, None)))
            for user, stored in zip(users, found, strict=True)
        ]
