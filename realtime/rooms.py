"""Rooms and their members: who belongs to a room, connected or not."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, NamedTuple

from realtime import keys, lua
from realtime.errors import TooLargeError
from realtime.in_turn import in_turn
from realtime.redis_link import RedisLink

MEMBER = "member"
"""The role of somebody who came by themselves."""

LISTED_TOGETHER = 100
"""Rooms of a list that are asked for in one go: a long list does not crowd out what
others ask of Redis."""

QUITS_KEPT_SECONDS = 3_600
"""How long it is noted that somebody quit: a node that was deaf for so long has shed
its clients, for ``/readyz`` was red."""


class Admission(NamedTuple):
    """A member's standing when they enter a room."""

    new: bool
    last_message: int
    last_read_message: int
    members: int


class RoomSummary(NamedTuple):
    """One line of a user's room list; ``newest`` is an encoded message."""

    room: str
    name: str
    last_message: int
    last_read_message: int
    unread: int
    newest: bytes | None


class Rooms:
    """Membership, kept on both sides: a room's members and a user's rooms."""

    def __init__(self, link: RedisLink, *, user_rooms_limit: int) -> None:
        self._link = link
        self._user_rooms_limit = user_rooms_limit

    async def claim(self, room: str, user: str) -> None:
        """Put a room on a user's list; :meth:`admit` makes them a member next.

        A crash in between leaves a room on the list that a next join completes, never
        a membership that the user cannot find.

        Raises:
            TooLargeError: The user is a member of too many rooms.
        """
        listed = await self._link.run(
            lua.ROOMS_CLAIM, (keys.user_rooms(user),), (room, self._user_rooms_limit)
        )
        if not listed:
            raise TooLargeError(
                f"You may be a member of {self._user_rooms_limit} rooms; quit one.",
                limit="user_rooms",
            )

    def admit(self, room: str, user: str) -> Coroutine[Any, Any, Admission]:
        """Make a user a member, if not one yet, and return where they stand.

        What was said before a user became a member counts as read. The call is sent
        when this is called, not when it is awaited.
        """
        return self._admitted(
            self._link.run(
                lua.ROOMS_ADMIT,
                (
                    keys.members(room),
                    keys.last_read(room),
                    keys.meta(room),
                    keys.quits(room),
                ),
                (user, MEMBER),
            )
        )

    @staticmethod
    async def _admitted(admitted: Awaitable[Any]) -> Admission:
        new, last_message, last_read, members = await admitted
        return Admission(new == 1, last_message, last_read, members)

    async def is_member(self, room: str, user: str) -> bool:
        """Tell whether a user belongs to a room."""
        found = await self._link.call("HEXISTS", keys.members(room), user)
        return bool(found)

    async def quit(self, room: str, user: str) -> None:
        """End a user's membership; repeating it is fine."""
        await in_turn(
            self._link.run(
                lua.ROOMS_QUIT,
                (keys.members(room), keys.last_read(room), keys.quits(room)),
                (user, QUITS_KEPT_SECONDS),
            ),
            self._link.call("SREM", keys.user_rooms(user), room),
        )

    async def quit_lately(self, room: str) -> set[str]:
        """Return who quit in the last hour and did not come back."""
        found = await self._link.call("ZRANGEBYSCORE", keys.quits(room), "-inf", "+inf")
        return {user.decode() for user in found}

    async def of_user(self, user: str) -> list[RoomSummary]:
        """Return the user's rooms by id, with what is unread in each."""
        found = await self._link.call("SMEMBERS", keys.user_rooms(user))
        rooms = sorted(room.decode() for room in found)
        summaries: list[RoomSummary] = []
        for start in range(0, len(rooms), LISTED_TOGETHER):
            together = rooms[start : start + LISTED_TOGETHER]
            found = await asyncio.gather(
                *(self._summary(each, user) for each in together)
            )
            summaries += [summary for summary in found if summary is not None]
        return summaries

    async def _summary(self, room: str, user: str) -> RoomSummary | None:
        (last, name), read = await in_turn(
            self._link.call("HMGET", keys.meta(room), "lastMessage", "name"),
            self._link.call("HGET", keys.last_read(room), user),
        )
        if read is None:
            # On the user's list but not a member: a quit or a join under way.
            return None
        # Asked for one after the other: a message and its mark may come in between.
        last_read = int(read)
        last_message = max(int(last or 0), last_read)
        newest = await self._link.call("HGET", keys.messages(room), last_message)
        return RoomSummary(
            room=room,
            name=name.decode() if name else room,
            last_message=last_message,
            last_read_message=last_read,
            unread=last_message - last_read,
            newest=newest,
        )
