"""What there is of one user, in rooms where they are no member any more as well."""

from collections.abc import Awaitable
from typing import Any, Final, NamedTuple

import orjson

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.scripts import OwnMessages, OwnNotes, OwnReactions
from realtime.tasks import gather_started

# Of a room's, looked at in one call: 0.3 ms of Redis.
LOOKED_AT: Final = 500

# Fields of a room that are told with a membership.
_OF_ROOM: Final = ("name", "kind")


class OwnMembership(NamedTuple):
    """A user's membership of a room: their record, and what they make of it."""

    record: dict[str, Any]
    name: str | None
    kind: str
    last_read: int


class OwnTraces(NamedTuple):
    """The first of what a room has of a user."""

    is_member: bool
    messages: OwnMessages
    reactions: OwnReactions
    notes: OwnNotes


class UserTraces:
    """Finds what there is of a user, and takes it away.

    All raise UnavailableError and OutcomeUnknownError while Redis is away.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def look(self, room: str, user: str, start: int = 1) -> OwnTraces:
        """Return the first of what a room has of a user, in one round trip."""
        found = await gather_started(
            self._redis.call("HEXISTS", keys.members(room), user),
            self.messages(room, user, start),
            self.reactions(room, user, ""),
            self.notes(room, user),
        )
        return OwnTraces(found[0] == 1, *found[1:])

    def messages(self, room: str, user: str, start: int) -> Awaitable[OwnMessages]:
        """Return messages that a user wrote, of the next ones from a number on."""
        return scripts.user_messages_read(
            self._redis,
            messages=keys.messages(room),
            meta=keys.meta(room),
            reactions=keys.reactions(room),
            user_json=orjson.dumps(user),
            start=start,
            limit=LOOKED_AT,
        )

    def reactions(self, room: str, user: str, after: str) -> Awaitable[OwnReactions]:
        """Return reactions of a user, message and key, of the next ones."""
        return scripts.user_reactions_read(
            self._redis,
            reactors=keys.reactors(room),
            user=user,
            after=after,
            limit=LOOKED_AT,
        )

    async def withdraw(self, room: str, user: str, message: int, key: str) -> bool:
        """Take a reaction back, whether they are a member or not; no event tells it."""
        return await scripts.reaction_withdraw(
            self._redis,
            reactions=keys.reactions(room),
            reactors=keys.reactors(room),
            user=user,
            message=message,
            key_json=orjson.dumps(key),
        )

    def notes(self, room: str, user: str, *, erased: str = "") -> Awaitable[OwnNotes]:
        """Return acts and reports that name a user.

        Args:
            room: Where.
            user: Whom.
            erased: Who stands in their place from now on: their name is taken out of
                the acts, reports of and by them are gone, their invites and what
                else the room has of them. Empty: nothing is changed.
        """
        return scripts.user_notes_read(
            self._redis,
            audit=keys.audit(room),
            reports=keys.reports(room),
            invites=keys.invites(room),
            meta=keys.meta(room),
            blocks=keys.blocks(room),
            user=user,
            user_json=orjson.dumps(user),
            erased=erased,
        )

    async def membership(self, room: str, user: str) -> OwnMembership | None:
        """Return a user's membership of a room; None: they are no member."""
        record, last_read, (name, kind) = await gather_started(
            self._redis.call("HGET", keys.members(room), user),
            self._redis.call("ZSCORE", keys.last_read(room), user),
            self._redis.call("HMGET", keys.meta(room), *_OF_ROOM),
        )
        if record is None:
            return None
        return OwnMembership(
            orjson.loads(record),
            name and name.decode(),
            kind.decode() if kind else "public",
            int(last_read or 0),
        )

    async def forget(self, user: str) -> None:
        """Forget what is kept of a user beside the rooms."""
        channel = keys.personal_channel(user)
        own = (
            *(keys.user_rooms(user), keys.user_new_rooms(user), keys.user_blocks(user)),
            *(keys.user_reports(user), keys.user_profile(user), keys.user_rate(user)),
            *(keys.user_mine(user), keys.personal_log(channel)),
            keys.personal_meta(channel),
        )
        await self._redis.call("DEL", *own)
