"""A user's rooms, a line each: how far a room is, and how far they have read."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import keys, scripts
from realtime.store.membership import Memberships

_logger = logging.getLogger(__name__)

# Rooms of a list that are asked for in one go: a long list does not crowd out what
# others ask of Redis.
LISTED_TOGETHER = 100

# Rooms of these that are sent in one go: Redis looks at them while the next ones are
# put together.
STARTED_TOGETHER = 25

# Names and numbers of a room in an answer, beside its own name and newest message.
SUMMARY_BYTES = 200


class RoomSummary(NamedTuple):
    """One line of a user's room list; ``newest`` is an encoded message."""

    room: str
    name: str
    kind: str
    role: str
    last_message: int
    last_read_message: int
    unread: int
    unread_mentions: int
    newest: bytes | None

    @property
    def size(self) -> int:
        """Bytes that it takes in an answer, roughly."""
        return SUMMARY_BYTES + len(self.room) + len(self.name) + len(self.newest or b"")


class RoomsPage(NamedTuple):
    """A part of a user's rooms, by id; ``more``: there are others behind it."""

    rooms: list[RoomSummary]
    more: bool


class RoomSummaries:
    """Reads the lines of rooms; a room that the user is no member of is taken off.

    Args:
        redis: The client that carries commands out.
        memberships: Takes rooms off lists.
    """

    def __init__(self, redis: RedisClient, memberships: Memberships) -> None:
        self._redis = redis
        self._memberships = memberships

    async def of_user(
        self,
        user: str,
        *,
        after: str | None = None,
        limit: int = LISTED_TOGETHER,
        fits: Callable[[int], bool] = lambda _size: True,
    ) -> RoomsPage:
        """Return a page of the user's rooms by id, with what is unread in each.

        A room that cannot be read is left out, and told in the log.

        Args:
            user: Whose rooms.
            after: Only rooms with higher ids.
            limit: Most rooms returned.
            fits: Given the bytes of each; the page ends before one that does not,
                if it is the first one as well.
        """
        found = await self._redis.call("SMEMBERS", keys.user_rooms(user))
        rooms = sorted(
            name for room in found if (name := room.decode()) > (after or "")
        )
        page: list[RoomSummary] = []
        for start in range(0, len(rooms), LISTED_TOGETHER):
            together = rooms[start : start + LISTED_TOGETHER]
            for summary in await self.of_rooms(together, user):
                if len(page) == limit or not fits(summary.size):
                    return RoomsPage(page, more=True)
                page.append(summary)
        return RoomsPage(page, more=False)

    async def attended(self, user: str) -> list[str]:
        """Return the rooms that a session of a user attends now, over all nodes."""
        found = await self._redis.call("SMEMBERS", keys.user_rooms(user))
        rooms = sorted(room.decode() for room in found)
        here: list[str] = []
        for start in range(0, len(rooms), LISTED_TOGETHER):
            together = rooms[start : start + LISTED_TOGETHER]
            online = await asyncio.gather(
                *(
                    self._redis.call("HEXISTS", keys.online(room), user)
                    for room in together
                )
            )
            here += [
                room for room, is_on in zip(together, online, strict=True) if is_on
            ]
        return here

    async def of_rooms(self, rooms: list[str], user: str) -> list[RoomSummary]:
        """Return the rooms' lines, in their order; those of no member are left out."""
        started = await self._start_summaries(rooms, user)
        found: list[RoomSummary] = []
        strangers: list[str] = []
        failure: Exception | None = None
        for each, summary in zip(rooms, started, strict=True):
            try:
                said = await summary
            except ReplyError as error:
                # What is wrong with one room must not hide the others.
                _logger.error("Room %s cannot be listed", each, exc_info=error)
            except ChatError as error:
                failure = failure or error
            else:
                if said is None:
                    strangers.append(each)
                else:
                    found.append(_line(each, said))
        if failure is not None:
            raise failure
        for each in strangers:
            # A quit or a join under way, or a room that was deleted.
            with suppress(ChatError):
                await self._memberships.unlist(each, user, reason="ended")
        return found

    async def _start_summaries(
        self, rooms: list[str], user: str
    ) -> list[Awaitable[scripts.Summary | None]]:
        started: list[Awaitable[scripts.Summary | None]] = []
        for start in range(0, len(rooms), STARTED_TOGETHER):
            together = rooms[start : start + STARTED_TOGETHER]
            started += [self._summary(each, user) for each in together]
            await asyncio.sleep(0)
        return started

    def _summary(self, room: str, user: str) -> Awaitable[scripts.Summary | None]:
        return scripts.room_summary_read(
            self._redis,
            last_read=keys.last_read(room),
            meta=keys.meta(room),
            messages=keys.messages(room),
            members=keys.members(room),
            deleted=keys.deleted(room),
            reactions=keys.reactions(room),
            mentions=keys.mentions(room),
            mentions_all=keys.mentions_all(room),
            user=user,
        )


def _line(room: str, found: scripts.Summary) -> RoomSummary:
    return RoomSummary(
        room=room,
        name=found.name.decode() or room,
        kind=found.kind.decode() or "public",
        role=found.role.decode(),
        last_message=found.last_message,
        last_read_message=found.last_read_message,
        unread=found.unread,
        unread_mentions=found.unread_mentions,
        newest=found.newest or None,
    )
