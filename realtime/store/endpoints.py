"""Endpoints of webhooks: what they are, and where those are kept that commands made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson
from marshmallow import ValidationError
from yarl import URL

from realtime.errors import UnavailableError
from realtime.outbound.signature import SigningKey, parse_signing_key
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.tasks import gather_started
from schemas.base import flatten_errors
from schemas.hooks import DEFAULT_TYPES, HookEndpoint

# Each event is looked at for each of them.
LIMIT_ENDPOINTS: Final = 20

# A change is made anew so often when another one came in between.
TRIES: Final = 5

_SCHEMA: Final = HookEndpoint()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One application that is told of what happens.

    Attributes:
        id: Its name, for people and in keys.
        url: Where it is.
        secrets: What it is signed with; the first one is the newest.
        types: What it is told of: patterns with ``*``.
        rooms: The rooms that it is told of: a pattern with ``*`` and ``?``.
        created_at: Unix ms; what is older it is not told.
    """

    id: str
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    types: tuple[str, ...] = DEFAULT_TYPES
    rooms: str = "*"
    created_at: int = 0

    @property
    def signing_keys(self) -> tuple[SigningKey, ...]:
        """What requests are signed with."""
        return tuple(map(parse_signing_key, self.secrets))

    @property
    def place(self) -> str:
        """Where it is, without what may be a secret."""
        return str(URL(self.url).origin())

    def wants(self, kind: str, room: str) -> bool:
        """Tell whether it is told of a type of event in a room."""
        return fnmatchcase(room, self.rooms) and any(
            fnmatchcase(kind, each) for each in self.types
        )


def parse_endpoint(given: Mapping[str, Any]) -> Endpoint:
    """Return the endpoint that a table of the file, or a command, describes.

    Raises:
        ValueError: With what is wrong, and no secret.
    """
    try:
        known = _SCHEMA.load({"id": "", **given})
    except ValidationError as error:
        path, said = next(iter(flatten_errors(error.messages).items()))
        raise ValueError(f"{given.get('id')}: {path}: {said[0]}") from None
    if not known["secrets"]:
        raise ValueError(f"{known['id']}: secrets: Must have one.")
    for secret in known["secrets"]:
        parse_signing_key(secret)
    names = ("secrets", "types")
    return Endpoint(**{**known, **{name: tuple(known[name]) for name in names}})


class Endpoints:
    """The endpoints that commands made, and how all of them fare.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def known(self, of_file: Iterable[Endpoint]) -> dict[str, Endpoint]:
        """Return all by their id; how they fare is not looked up.

        Args:
            of_file: Those of the file; they win over others of their id.
        """
        found = await self._redis.call("HGETALL", keys.HOOKS)
        known = {}
        for name, value in zip(found[::2], found[1::2], strict=True):
            hook_id = name.decode()
            known[hook_id] = _decoded(hook_id, value)
        return known | {each.id: each for each in of_file}

    async def states(self, hook_ids: Iterable[str]) -> list[dict[str, str]]:
        """Return how endpoints fare, in their order."""
        found = await gather_started(
            *(self._redis.call("HGETALL", keys.hook(each).state) for each in hook_ids)
        )
        return [
            {
                name.decode(): value.decode()
                for name, value in zip(each[::2], each[1::2], strict=True)
            }
            for each in found
        ]

    async def begin(self, hook_id: str) -> int:
        """Note since when an endpoint is told; return that time, in Unix ms."""
        seconds, micros = await self._redis.call("TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        state = keys.hook(hook_id).state
        await self._redis.call("HSETNX", state, "createdAt", now)
        return int(await self._redis.call("HGET", state, "createdAt"))

    async def add(self, endpoint: Endpoint) -> bool:
        """Keep a new endpoint; false: there is one of its id."""
        is_new = await self._redis.call(
            # Sent again, it would find itself.
            *("HSETNX", keys.HOOKS, endpoint.id, _encoded(endpoint)),
            resend=False,
        )
        if is_new:
            await self.begin(endpoint.id)
        return bool(is_new)

    async def change(
        self, hook_id: str, change: Callable[[Endpoint], Endpoint]
    ) -> Endpoint | None:
        """Make an endpoint another one; None: there is none.

        Raises:
            UnavailableError: It is changed by others all the time.
        """
        for _ in range(TRIES):
            kept = await self._redis.call("HGET", keys.HOOKS, hook_id)
            if kept is None:
                return None
            changed = change(_decoded(hook_id, kept))
            if await scripts.hook_set(
                self._redis,
                hooks=keys.HOOKS,
                hook_id=hook_id,
                before=kept,
                after=_encoded(changed),
            ):
                return changed
        raise UnavailableError("The endpoint is being changed; ask again.")

    async def remove(self, hook_id: str) -> bool:
        """Forget an endpoint with all that it was not told; false: there is none."""
        removed = await self._redis.call("HDEL", keys.HOOKS, hook_id)
        for each in keys.hook(hook_id):
            await self._redis.call("DEL", each)
        return bool(removed)

    async def disable(self, hook_id: str, why: str) -> None:
        """Tell an endpoint nothing any more; what waits for it is kept."""
        await self._redis.call("HSET", keys.hook(hook_id).state, "disabled", why)

    async def enable(self, hook_id: str) -> bool:
        """Go on with an endpoint; false: it was not disabled."""
        state = keys.hook(hook_id).state
        await self._redis.call("HDEL", state, "failingSince", "lastError")
        return bool(await self._redis.call("HDEL", state, "disabled"))

    async def failing(self, hook_id: str, since: int, why: str) -> None:
        """Note that an endpoint fails, since when in Unix ms, and how."""
        state = keys.hook(hook_id).state
        await self._redis.call(
            "HSET", state, "failingSince", since, "lastError", why[:200]
        )

    async def fares_well(self, hook_id: str) -> None:
        """Note that an endpoint answers."""
        state = keys.hook(hook_id).state
        await self._redis.call("HDEL", state, "failingSince", "lastError")


def _encoded(endpoint: Endpoint) -> bytes:
    return orjson.dumps(
        {
            "url": endpoint.url,
            "secrets": endpoint.secrets,
            "types": endpoint.types,
            "rooms": endpoint.rooms,
        }
    )


def _decoded(hook_id: str, value: bytes) -> Endpoint:
    kept = orjson.loads(value)
    return Endpoint(
        hook_id,
        kept["url"],
        tuple(kept["secrets"]),
        tuple(kept["types"]),
        kept["rooms"],
    )
