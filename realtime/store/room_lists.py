"""A user's rooms by their last message, in pages: what a list on a screen shows."""

import re
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.personal_log import Mine, PersonalLog
from realtime.store.room_index import replies_of
from realtime.store.room_summaries import LISTED_TOGETHER, RoomSummaries, RoomSummary
from realtime.tasks import gather_started

# How long the order of a list serves its further pages; what moves meanwhile is told by
# `rooms_changed`, or found by whoever lists anew.
ORDER_SECONDS: Final = 30.0

# Orders kept at a node, the last ones asked for: 100 bytes a room.
ORDERS: Final = 200

_CURSOR: Final = re.compile(r"(0|[1-9][0-9]{0,15}):([A-Za-z0-9_-]{1,64})", re.ASCII)

# The filters of a list, and which settings a room of it has. What is unread is known
# when the room was read.
FILTERS: Final[dict[str, Callable[[Mine], bool]]] = {
    "active": lambda mine: not mine.archived,
    "archived": lambda mine: mine.archived,
    "pinned": lambda mine: mine.pinned,
}
UNREAD: Final = "unread"


class Standing(NamedTuple):
    """Where a room stands; ``at`` is the last message's time, or the room's."""

    room: str
    at: int
    last_message: int
    offset: int


class ListedRoom(NamedTuple):
    """A line of a list."""

    summary: RoomSummary
    mine: Mine
    at: int


class ListPage(NamedTuple):
    """A page of a list; ``cursor`` leads to the next one, None: this is the last.

    With ``is_cut`` it is empty because not even the first room fits.
    """

    rooms: list[ListedRoom]
    cursor: str | None
    is_cut: bool = False


# Of a room's `meta`; one of before has no time of its last message, only of an event.
_STANDING: Final = ("messageAt", "createdAt", "at", "lastMessage", "offset")

# A room's place: the newest first, of one time by id.
_Place = tuple[int, str]


class RoomLists:
    """Lists of rooms, and where each room stands.

    Args:
        redis: The client that carries commands out.
        summaries: Reads the lines of rooms.
        personal: What users made of their rooms.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        redis: RedisClient,
        summaries: RoomSummaries,
        personal: PersonalLog,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._summaries = summaries
        self._personal = personal
        self._clock = clock
        self._orders: OrderedDict[str, tuple[float, list[_Place]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._orders)

    async def rooms_of(self, user: str) -> list[str]:
        """Return the rooms on a user's list, in no order."""
        found = await self._redis.call("SMEMBERS", keys.user_rooms(user))
        return [room.decode() for room in found]

    async def count_of(self, user: str) -> int:
        """Return how many rooms are on a user's list."""
        found: int = await self._redis.call("SCARD", keys.user_rooms(user))
        return found

    async def standings(self, rooms: Iterable[str]) -> list[Standing]:
        """Return where rooms stand; one that cannot be read is left out.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        asked = list(rooms)
        found: list[Standing] = []
        before: tuple[list[str], list[Awaitable[Any]]] = [], []
        # The next ones are on their way while these are looked at.
        for start in range(0, len(asked) + LISTED_TOGETHER, LISTED_TOGETHER):
            together = asked[start : start + LISTED_TOGETHER]
            started = [
                self._redis.call("HMGET", keys.meta(room), *_STANDING)
                for room in together
            ]
            for room, said in zip(before[0], await replies_of(before[1]), strict=True):
                if said is not None:
                    written, created, at, last, offset = said
                    when = int(written or created or at or 0)
                    standing = Standing(room, when, int(last or 0), int(offset or 0))
                    found.append(standing)
            before = together, [*started]
        return found

    async def members(self, rooms: Iterable[str], user: str) -> set[str]:
        """Return those of the rooms that the user is a member of.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        asked = list(rooms)
        found: set[str] = set()
        for start in range(0, len(asked), LISTED_TOGETHER):
            together = asked[start : start + LISTED_TOGETHER]
            started = [
                self._redis.call("HEXISTS", keys.members(room), user)
                for room in together
            ]
            # Of a room that cannot be read nothing is known, and nothing changed.
            is_member = [said != 0 for said in await replies_of(started)]
            found.update(
                room for room, is_in in zip(together, is_member, strict=True) if is_in
            )
        return found

    async def page(
        self,
        user: str,
        *,
        limit: int,
        cursor: str | None = None,
        chosen: str | None = None,
        standings: list[Standing] | None = None,
        count: Callable[[int], None] = lambda _rooms: None,
        fits: Callable[[int], bool] = lambda _size: True,
    ) -> ListPage:
        """Return a page of a user's rooms, those with the newest messages first.

        Args:
            user: Whose rooms.
            limit: Most rooms returned.
            cursor: That of the page before; one that is none begins anew.
            chosen: A filter, of :data:`FILTERS` or :data:`UNREAD`.
            standings: Where the user's rooms stand, if that is known already.
            count: Given the number of rooms that are looked at for it, before.
            fits: Given the bytes of each; the page ends before one that does not.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        after = _place_of(cursor)
        order = await self._order(user, after, standings, count)
        rest = order if after is None else order[bisect_right(order, after) :]
        if of_mine := FILTERS.get(chosen or ""):
            mine = await self._personal.all_mine(user)
            rest = [place for place in rest if of_mine(mine.get(place[1], Mine()))]
        listed: list[ListedRoom] = []
        done = 0
        while done < len(rest) and len(listed) < limit:
            together = rest[done : done + min(limit, LISTED_TOGETHER)]
            for each in await self._listed(user, together):
                is_unread = each.summary.unread > 0 or each.mine.marked_unread
                if chosen == UNREAD and not is_unread:
                    continue
                if len(listed) == limit or not fits(each.summary.size):
                    if not listed:
                        return ListPage([], None, is_cut=True)
                    return ListPage(listed, _cursor(_place(listed[-1])))
                listed.append(each)
            done += len(together)
        return ListPage(listed, _cursor(rest[done - 1]) if done < len(rest) else None)

    async def _listed(self, user: str, places: list[_Place]) -> list[ListedRoom]:
        rooms = {room: -negative for negative, room in places}
        # In one round trip.
        lines, mine = await gather_started(
            self._summaries.of_rooms(list(rooms), user),
            self._personal.mine(user, rooms),
        )
        return [ListedRoom(each, mine[each.room], rooms[each.room]) for each in lines]

    async def _order(
        self,
        user: str,
        after: _Place | None,
        standings: list[Standing] | None,
        count: Callable[[int], None],
    ) -> list[_Place]:
        now = self._clock()
        kept = self._orders.get(user)
        if after is not None and kept is not None and now < kept[0]:
            return kept[1]
        if standings is None:
            rooms = await self.rooms_of(user)
            count(len(rooms))
            standings = await self.standings(rooms)
        order = sorted((-each.at, each.room) for each in standings)
        self._orders[user] = (now + ORDER_SECONDS, order)
        self._orders.move_to_end(user)
        while len(self._orders) > ORDERS:
            self._orders.popitem(last=False)
        return order


def _place(listed: ListedRoom) -> _Place:
    return -listed.at, listed.summary.room


def _cursor(place: _Place) -> str:
    return f"{-place[0]}:{place[1]}"


def _place_of(cursor: str | None) -> _Place | None:
    match = cursor and _CURSOR.fullmatch(cursor)
    return (-int(match[1]), match[2]) if match else None
