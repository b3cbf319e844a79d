"""Which rooms there are, in the order of their ids: read page by page.

One sorted set has them. It is no part of any room's slot, so no script that makes a
room can write it: a room is noted before it is made, and once more after that. Whoever
looks through the set takes out what has ended meanwhile; a room that is made in that
very moment is in it again by its second note. So nothing that is there is missing, and
what is not there is skipped by whoever reads.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, NamedTuple

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import keys
from schemas.field_types import KEY_SENDER

# Rooms that are looked at in one go: some 200 commands, 1 ms of Redis.
TOGETHER: Final = 100

# Rooms that are looked at for one page, whatever of them is wanted.
LOOKED_AT: Final = 1_000

# Between two looks for rooms that ended: a node takes out up to 860,000 a day.
SWEEP_SECONDS: Final = 10.0

# Keys that Redis goes through in one step, for rooms of before there was the set.
SCANNED: Final = 1_000

# Stands for: the rooms of before are in the set. It sorts before all ids.
_FILLED: Final = ""

_ABOUT: Final = (
    *("kind", "name", "topic", "createdAt", "createdBy", "lastMessage", "messageAt"),
)
_PREFIX: Final = re.compile(r"[^*?\[]*")
_ROOM: Final = re.compile(rb"\{" + keys.CHANNEL_PREFIX.encode() + rb"([\w-]+)\}:")

_logger = logging.getLogger(__name__)


class IndexedRoom(NamedTuple):
    """A room; of ``about``, as its meta hash has it, only what is set."""

    room: str
    about: Mapping[str, str]
    members: int


class IndexPage(NamedTuple):
    """Rooms by id; ``after`` leads to the next page, None: there is none."""

    rooms: list[IndexedRoom]
    after: str | None


def note_room(redis: RedisClient, room: str) -> Awaitable[Any]:
    """Note a room that is about to be made, or was made now."""
    return redis.call("ZADD", keys.ROOMS, 0, room)


async def replies_of(started: Sequence[Awaitable[Any]]) -> list[Any]:
    """Return the replies in order, None for a key that holds something else.

    Raises:
        ChatError: The first one, after all have been awaited.
    """
    replies: list[Any] = []
    failure: Exception | None = None
    for each in started:
        try:
            replies.append(await each)
        except ReplyError:
            replies.append(None)
        except ChatError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return replies


class RoomIndex:
    """The rooms of the deployment.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def page(
        self,
        *,
        after: str = "",
        limit: int,
        pattern: str = "*",
        kind: str | None = None,
    ) -> IndexPage:
        """Return rooms with ids above one; a page may have none and yet a next one.

        Args:
            after: Only rooms with higher ids.
            limit: Most rooms returned.
            pattern: Of their ids, with ``*`` and ``?``.
            kind: Only those of this kind; None: all.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        found: list[IndexedRoom] = []
        looked_at = 0
        while looked_at < LOOKED_AT:
            names = await self.names(after=after, limit=TOGETHER, pattern=pattern)
            looked_at += TOGETHER
            asked = [each for each in names if fnmatchcase(each, pattern)]
            for each in await self.there(asked):
                if kind in (None, each.about.get("kind", "public")):
                    if len(found) == limit:
                        return IndexPage(found, found[-1].room)
                    found.append(each)
            if len(names) < TOGETHER:
                return IndexPage(found, None)
            after = names[-1]
        return IndexPage(found, after)

    async def names(
        self, *, after: str = "", limit: int, pattern: str = "*"
    ) -> list[str]:
        """Return noted ids above one that begin as a pattern does; some have ended."""
        (prefix,) = _PREFIX.findall(pattern)[:1]
        start = f"({after}" if after >= prefix else f"[{prefix}"
        # The code above that of the last letter: what begins so is below it.
        end = f"({prefix[:-1]}{chr(ord(prefix[-1]) + 1)}" if prefix else "+"
        found = await self._redis.call(
            "ZRANGEBYLEX", keys.ROOMS, start, end, "LIMIT", 0, limit
        )
        return [each.decode() for each in found]

    async def there(self, rooms: list[str]) -> list[IndexedRoom]:
        """Return those of the rooms that are there."""
        known_of, members_of = (
            [self._redis.call("HMGET", keys.meta(room), *_ABOUT) for room in rooms],
            [self._redis.call("HLEN", keys.members(room)) for room in rooms],
        )
        found = []
        for room, known, members in zip(
            rooms, await replies_of(known_of), await replies_of(members_of), strict=True
        ):
            if known is None or members is None:
                # What cannot be read is there, and nobody is told of it.
                continue
            about = {
                name: said.decode()
                for name, said in zip(_ABOUT, known, strict=True)
                if said is not None
            }
            if members or about.get("createdBy", "").startswith(KEY_SENDER):
                found.append(IndexedRoom(room, about, members))
        return found

    async def run(self) -> None:
        """Note the rooms of before, and forget those that ended, until cancelled."""
        after, is_filled = "", False
        while True:
            try:
                if not is_filled:
                    await self._try_to_fill()
                    is_filled = True
                after = await self.sweep(after)
            except ChatError as error:
                _logger.debug("Rooms were not looked through: %s", error.message)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _try_to_fill(self) -> None:
        try:
            await self.fill()
        except ReplyError as error:
            _logger.error(
                "Rooms of before are not listed until somebody enters them: %s", error
            )

    async def fill(self) -> None:
        """Note the rooms that were made before there was the set, once for all nodes.

        Raises:
            ChatError: Redis is away; it begins anew.
        """
        if await self._redis.call("ZSCORE", keys.ROOMS, _FILLED) is not None:
            return
        rooms: set[bytes] = set()
        async for each in self._redis.scan(keys.room_keys("me*"), SCANNED):
            if match := _ROOM.match(each):
                rooms.add(match[1])
            if len(rooms) >= TOGETHER:
                await self._note(rooms)
        await self._note(rooms)
        await self._redis.call("ZADD", keys.ROOMS, 0, _FILLED)

    async def _note(self, rooms: set[bytes]) -> None:
        if rooms:
            noted = [part for room in rooms for part in (0, room)]
            await self._redis.call("ZADD", keys.ROOMS, *noted)
            rooms.clear()

    async def sweep(self, after: str = "") -> str:
        """Forget those of the next rooms that ended; return where to go on.

        Raises:
            ChatError: Redis is away.
        """
        names = await self.names(after=after, limit=TOGETHER)
        there = {each.room for each in await self.there(names)}
        ended = [each for each in names if each not in there]
        if ended:
            await self._redis.call("ZREM", keys.ROOMS, *ended)
            # One that is made in this moment was noted before, and is again.
            for back in await self.there(ended):
                await note_room(self._redis, back.room)
        return names[-1] if len(names) == TOGETHER else ""
