"""What the nodes publish with: all the same, or they would not hear each other.

A node that reaches a cluster as such publishes on sharded channels; one that reaches
the same data by the address of a single server, through a proxy, does not.
"""

import asyncio
import logging
from typing import Final

from realtime.errors import ChatError, ConflictError
from realtime.redis.client import RedisClient
from realtime.store import keys

_logger = logging.getLogger(__name__)

# How often a node says what it publishes with, and how long that holds: a minute after
# the last one of its kind, another kind may begin.
SAY_SECONDS: Final = 20.0
HOLDS_SECONDS: Final = 60


class Publishing:
    """This node's word on what it publishes with.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._own = redis.publish_command.encode()

    async def begin(self) -> None:
        """Return when this node may join the others.

        Raises:
            ConflictError: They publish with another command.
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        found = await self._redis.call("GET", keys.PUBLISHING)
        if found not in (None, self._own):
            raise ConflictError(
                f"The nodes of this Redis publish with {found.decode()}, and this one"
                f" would with {self._own.decode()}: they would not hear each other."
                " Give all of them the same CHATROOM_REDIS_URL; a minute after the last"
                " of the others has ended, this one can start."
            )

    async def run(self) -> None:
        """Say it until cancelled."""
        while True:
            try:
                await self._redis.call(
                    "SET", keys.PUBLISHING, self._own, "EX", HOLDS_SECONDS
                )
            except ChatError as error:
                _logger.debug("What is published with was not said: %s", error.message)
            await asyncio.sleep(SAY_SECONDS)
