"""Where API keys are kept: one hash, shared by all nodes."""

from collections.abc import Mapping
from typing import Any

import orjson

from realtime.auth.api_keys import ApiKey
from realtime.redis.client import RedisClient
from realtime.store import keys


class ApiKeys:
    """The keys of a deployment.

    A key that is revoked is refused by all nodes from that moment on: it is looked up
    with each request.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def find(self, key_id: str) -> ApiKey | None:
        """Return a key by its id, None if there is none.

        Raises:
            UnavailableError: Redis is away.
        """
        found = await self._redis.call("HGET", keys.API_KEYS, key_id)
        return None if found is None else _decoded(key_id, found)

    async def all(self) -> list[ApiKey]:
        """Return all keys, the oldest first."""
        found = await self._redis.call("HGETALL", keys.API_KEYS)
        pairs = zip(found[::2], found[1::2], strict=True)
        listed = [_decoded(key_id.decode(), value) for key_id, value in pairs]
        return sorted(listed, key=lambda key: (key.created_at, key.id))

    async def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        value: Mapping[str, Any] = {
            "name": key.name,
            "digest": key.digest,
            "scopes": sorted(key.scopes),
            "rooms": key.rooms,
            "createdAt": key.created_at,
        }
        await self._redis.call("HSET", keys.API_KEYS, key.id, orjson.dumps(value))

    async def revoke(self, key_id: str) -> bool:
        """Forget a key; false if there was none."""
        return bool(await self._redis.call("HDEL", keys.API_KEYS, key_id))


def _decoded(key_id: str, value: bytes) -> ApiKey:
    kept = orjson.loads(value)
    return ApiKey(
        id=key_id,
        name=kept["name"],
        digest=kept["digest"],
        scopes=frozenset(kept["scopes"]),
        rooms=kept["rooms"],
        created_at=kept["createdAt"],
    )
