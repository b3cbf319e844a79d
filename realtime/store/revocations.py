"""Whose tokens are not good any more, though their time is not over.

Redis has the list, and each node a copy: it is asked for with each token, and while
Redis is away as well. The copy is a second old at most, and so is a session of a token
that was revoked; a node that was cut off closes them when it reaches Redis again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from realtime.errors import ChatError, TooLargeError
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts

_logger = logging.getLogger(__name__)

# Users whose tokens are revoked, at most: 15 MB in each node.
REVOKED_USERS: Final = 100_000

# Seconds between two looks at what is new.
LOOK_SECONDS: Final = 1.0

# Looks after which all of the list is read: what has ended is forgotten.
LOOKS_A_READING: Final = 600

# Seconds that a look goes back: Redis's clock may be set, and fail over to another's.
BACK_SECONDS: Final = 10

# Given a user, end their sessions with tokens from before a Unix second.
End = Callable[[str, int], Awaitable[None]]


class Revocations:
    """Users by the first Unix second whose tokens (``iat``) are good.

    Args:
        redis: The client that carries commands out.
        keep_seconds: How long it is noted: longer than any token lives.
    """

    def __init__(self, redis: RedisClient, *, keep_seconds: int) -> None:
        self._redis = redis
        self._keep_seconds = keep_seconds
        self._known: dict[str, int] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._known)

    def good_from(self, user: str) -> int | None:
        """Return the Unix second from which on a user's tokens are good; None: all."""
        return self._known.get(user)

    async def revoke(self, user: str) -> int:
        """Refuse a user's tokens of up to now; return the second that is good again.

        Their sessions are ended within :data:`LOOK_SECONDS`, at all nodes.

        Raises:
            TooLargeError: Too many users are noted.
        """
        found = await scripts.user_revoke(
            self._redis,
            revoked=keys.REVOKED,
            user=user,
            keep_seconds=self._keep_seconds,
            limit=REVOKED_USERS,
        )
        if not found:
            raise TooLargeError(
                f"The tokens of {REVOKED_USERS} users are revoked, the most there may"
                " be.",
                limit="revoked_users",
            )
        self._wake.set()
        return int(found)

    async def run(self, end: End) -> None:
        """Keep the copy, and have sessions ended, until cancelled.

        Args:
            end: Ends a user's sessions with tokens from before a second.
        """
        looks = 0
        while True:
            try:
                await self._look(end, is_whole=looks % LOOKS_A_READING == 0)
                looks += 1
            except ChatError as error:
                # What is known holds; what is new is found when Redis is back.
                _logger.debug("Revoked tokens were not read: %s", error.message)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue
            finally:
                self._wake.clear()

    async def _look(self, end: End, *, is_whole: bool) -> None:
        since = 0 if is_whole else max(self._known.values(), default=0) - BACK_SECONDS
        found = await self._redis.call(
            "ZRANGEBYSCORE", keys.REVOKED, since, "+inf", "WITHSCORES"
        )
        pairs = zip(found[::2], found[1::2], strict=True)
        listed = {user.decode(): int(score) for user, score in pairs}
        new = {
            user: good_from
            for user, good_from in listed.items()
            if good_from > self._known.get(user, 0)
        }
        self._known = listed if is_whole else self._known | listed
        for user, good_from in new.items():
            await end(user, good_from)
