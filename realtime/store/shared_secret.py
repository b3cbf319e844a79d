"""A secret that all nodes of one Redis share; the first of them makes it."""

import asyncio
import logging
import secrets

from realtime.errors import ChatError, UnavailableError
from realtime.redis.client import RedisClient
from realtime.store import keys

_logger = logging.getLogger(__name__)

# Length of the secret: the size of HMAC-SHA256's output.
SECRET_BYTES = 32

# How often Redis is asked again. It may have lost the secret with its newest data; the
# nodes put back what they know, so that addresses that were given out stay valid.
LOOK_SECONDS = 60.0


class SharedSecret:
    """The secret of the nodes, fetched once and kept in Redis since.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._value: bytes | None = None

    @property
    def value(self) -> bytes:
        """The secret.

        Raises:
            UnavailableError: It has not been fetched yet.
        """
        if self._value is None:
            raise UnavailableError("This node is starting; try again.")
        return self._value

    async def fetch(self) -> None:
        """Read the secret; make it, or put it back, if there is none.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        own = self._value or secrets.token_bytes(SECRET_BYTES)
        # Asked first: a Redis that is full can be read.
        found = await self._redis.call("GET", keys.SHARED_SECRET)
        if found is None:
            await self._redis.call("SET", keys.SHARED_SECRET, own, "NX")
            # Lost between the two, it is put back by the next look.
            found = await self._redis.call("GET", keys.SHARED_SECRET) or own
        self._value = found

    async def run(self) -> None:
        """See to it until cancelled that Redis has the secret."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.fetch()
            except ChatError as error:
                _logger.debug("The secret was not looked at: %s", error.message)
