"""``push.due``: whom the application may want to tell on their phones.

Some seconds after a message it is looked who is a member, is not here and has not read
it: on the way of a message nothing is looked up. The application knows the phones.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.tasks import gather_started
from realtime.webhooks import told_events
from realtime.webhooks.registry import Registry
from realtime.webhooks.told_events import ToldEvent
from schemas.hooks import PUSH_TYPE

# Time for whoever sees a message elsewhere to have read it.
HOLD_MS: Final = 10_000

# In larger rooms only those who are mentioned are told: nobody wants a phone that rings
# all day.
ROOM_MEMBERS: Final = 100

# So many are told of one that mentions everybody; ten events at most.
MENTION_ALL_MEMBERS: Final = 1_000

# Users of one event.
USERS: Final = 100

# For a node to be done with what it took; then others try.
TAKEN_MS: Final = 10_000

# Messages looked at together, and time between two looks.
TOGETHER: Final = 100
LOOK_SECONDS: Final = 1.0

_SINCE: Final = re.compile(rb'"since":(\d+)')

_logger = logging.getLogger(__name__)

Message = Mapping[str, Any]


class QuietRule(Protocol):
    """One reason not to disturb people: who muted the room, blocks the sender ..."""

    def __call__(
        self, room: str, message: Message, users: Sequence[str], /
    ) -> Awaitable[Collection[str]]:
        """Return those of the users who are not to be told of a message."""


class PushWatch:
    """Notes messages, and tells of those whom somebody absent has not read.

    Args:
        redis: The client that carries commands out.
        registry: Knows whether anybody wants to know.
        quiet: Who is not told; each rule is asked about those whom the others left.
    """

    def __init__(
        self,
        redis: RedisClient,
        registry: Registry,
        quiet: Sequence[QuietRule] = (),
    ) -> None:
        self._redis = redis
        self._registry = registry
        self._quiet = quiet

    def note(self, room: str, body: bytes) -> list[Awaitable[None]]:
        """Begin to note a message, if anybody wants to know."""
        if not self._is_wanted(room):
            return []
        return [
            scripts.outbox_mark(
                self._redis,
                outbox=keys.PUSHES,
                room=f"{room} {told_events.message_of(body)}",
                look_ms=HOLD_MS,
            )
        ]

    def _is_wanted(self, room: str) -> bool:
        listening = self._registry.listening.values()
        return any(each.wants(PUSH_TYPE, room) for each in listening)

    async def run(
        self, tell: Callable[[str, ToldEvent], Sequence[Awaitable[int]]]
    ) -> None:
        """Look at what was noted, until cancelled.

        Args:
            tell: Begins to put an event of a room into the queues.
        """
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._registry.listening:
                continue
            try:
                await self._look(tell)
            except ChatError as error:
                _logger.debug("Nobody was told of messages: %s", error.message)
            except Exception:
                _logger.exception("Who is absent cannot be told of a message")

    async def _look(
        self, tell: Callable[[str, ToldEvent], Sequence[Awaitable[int]]]
    ) -> None:
        taken = await scripts.outbox_take(
            self._redis, outbox=keys.PUSHES, limit=TOGETHER, taken_ms=TAKEN_MS
        )
        for each in taken.rooms:
            room, number = each.split(" ")
            for told in await self._due(room, int(number)):
                await gather_started(*tell(room, told))
            await scripts.outbox_clear(
                self._redis, outbox=keys.PUSHES, room=each, score=taken.score
            )

    async def _due(self, room: str, number: int) -> list[ToldEvent]:
        """Return what is told of a message: whom it waits for, some in each event."""
        state = await self._redis.call("HGET", keys.messages(room), number)
        if state is None:
            return []
        message = orjson.loads(state)
        if message["type"] == "deleted" or message.get("silent"):
            return []
        users = await self._absent(room, number, message)
        for rule in self._quiet:
            if users:
                quiet = set(await rule(room, message, users))
                users = [each for each in users if each not in quiet]
        return [
            told_events.made(
                PUSH_TYPE,
                f"{message['uid']} push {at}",
                message["at"],
                {"room": room, "users": users[at : at + USERS], "message": message},
            )
            for at in range(0, len(users), USERS)
        ]

    async def _absent(self, room: str, number: int, message: Message) -> list[str]:
        """Return members who are not here, may see a message and have not read it."""
        members = keys.members(room)
        names: list[Any] = message.get("mentions", [])
        limit = MENTION_ALL_MEMBERS if message.get("mentionAll") else ROOM_MEMBERS
        if await self._redis.call("HLEN", members) <= limit:
            names = [each.decode() for each in await self._redis.call("HKEYS", members)]
        names = [each for each in names if each != message["user"]]
        if not names:
            return []
        records, online, marks = await gather_started(
            self._redis.call("HMGET", members, *names),
            self._redis.call("HMGET", keys.online(room), *names),
            self._redis.call("ZMSCORE", keys.last_read(room), *names),
        )
        return [
            name
            for name, record, here, mark in zip(
                names, records, online, marks, strict=True
            )
            if record is not None
            and here is None
            and float(mark or 0) < number
            and _since(record) <= number
        ]


def _since(record: bytes) -> int:
    match = _SINCE.search(record)
    return 1 if match is None else int(match[1])
