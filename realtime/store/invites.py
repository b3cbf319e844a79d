"""Invite links: whoever has one becomes a member of a private room by it."""

import secrets
from typing import Final

import orjson

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.refusals import granted
from realtime.store.scripts import Invite

# Random bytes of an invite: nobody guesses one in its life.
TOKEN_BYTES: Final = 16

# Invites of a room: one for each place where it is announced, and some to spare.
ROOM_INVITES: Final = 100

# Stands for any number of uses.
ANY_USES: Final = -1


class Invites:
    """Makes, ends and lists the invite links of rooms. How one is used is a join.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def create(
        self, *, room: str, user: str, seconds: int, uses: int | None
    ) -> Invite:
        """Make an invite for so many seconds, and so many uses; None: any number.

        Raises:
            ForbiddenError: The user is no member, or may not invite.
            TooLargeError: The room has too many.
        """
        token = secrets.token_urlsafe(TOKEN_BYTES)
        left = ANY_USES if uses is None else uses
        made = await scripts.invite_create(
            self._redis,
            members=keys.members(room),
            meta=keys.meta(room),
            invites=keys.invites(room),
            audit=keys.audit(room),
            user=user,
            token=token,
            keep_ms=seconds * 1000,
            uses=left,
            limit=ROOM_INVITES,
            body=_body(room, user),
        )
        ends_at = granted(made)
        return Invite(token, ends_at, left, ends_at - seconds * 1000, user)

    async def revoke(self, *, room: str, user: str, token: str) -> None:
        """End an invite; repeating it is fine.

        Raises:
            ForbiddenError: The user is no member, or it is not theirs to end.
        """
        done = await scripts.invite_revoke(
            self._redis,
            members=keys.members(room),
            invites=keys.invites(room),
            audit=keys.audit(room),
            user=user,
            token=token,
            body=_body(room, user),
        )
        granted(done)

    async def of_room(self, *, room: str, user: str) -> list[Invite]:
        """Return a moderator the room's invites, a member their own, by their ends.

        Raises:
            ForbiddenError: The user is no member.
        """
        found = await scripts.invites_read(
            self._redis,
            members=keys.members(room),
            invites=keys.invites(room),
            user=user,
        )
        return sorted(granted(found), key=lambda each: (each.ends_at, each.token))


def _body(room: str, user: str) -> bytes:
    return orjson.dumps({"room": room, "by": user})[1:-1]
