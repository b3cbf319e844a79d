"""Which rooms are marked for the application's hook."""

from realtime.redis.client import RedisClient
from realtime.store import keys


async def is_hooked(redis: RedisClient, room: str) -> bool:
    """Return whether what is sent to a room is shown to the hook before.

    Raises:
        UnavailableError: Redis does not answer.
    """
    mark = await redis.call("HGET", keys.meta(room), "hook")
    return bool(mark == b"1")
