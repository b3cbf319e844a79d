"""A user's personal log: what their devices are told of their rooms.

A room's log says what its members see; this one says which rooms a user has, and what
they made of them, in an order of its own. Membership is the rooms' to say: their keys
are of other slots and change first, and what was not told because of a crash between
the two is told when the user next asks ``me``.
"""

from collections.abc import Awaitable, Collection, Coroutine, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

import orjson

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.message_log import READ_BYTES
from realtime.store.position import START, Position, Uids
from realtime.store.refusals import granted
from realtime.store.scripts import HistoryPage, LogPage
from realtime.tasks import gather_started

# Events that a log keeps, at most, and roughly: trimming is in blocks. Who was away for
# longer than they tell of lists their rooms anew.
LOG_EVENTS: Final = 1_000

# Bytes of events that a log keeps, roughly: some 500 marks read. Every user has one.
LOG_BYTES: Final = 64 * 1024

# How long an event is kept, and the log after its last one.
LOG_SECONDS: Final = 30 * 24 * 3_600

_FLAGS: Final = (
    ("muted", "m"),
    ("pinned", "p"),
    ("archived", "a"),
    ("marked_unread", "u"),
)
_PUSH_LETTERS: Final = {"all": "", "mentions": "t", "none": "n"}

# The field of the settings that says that all rooms of before were told of.
_SEEDED: Final = ""


class Mine(NamedTuple):
    """A user's own settings of a room; nobody else learns of them.

    ``push`` is for the application: the server itself pushes nothing.
    """

    muted: bool = False
    pinned: bool = False
    archived: bool = False
    marked_unread: bool = False
    push: str = "all"

    @classmethod
    @lru_cache(maxsize=256)
    def from_letters(cls, letters: bytes | str | None) -> Self:
        """Return the settings that are stored as letters; there are few of them."""
        text = letters.decode() if isinstance(letters, bytes) else letters or ""
        push = "none" if "n" in text else "mentions" if "t" in text else "all"
        muted, pinned, archived, marked = (letter in text for _, letter in _FLAGS)
        return cls(muted, pinned, archived, marked, push)

    def to_wire(self) -> dict[str, object]:
        """Return the members of an ack, and of ``room_mine``."""
        return {
            "muted": self.muted,
            "pinned": self.pinned,
            "archived": self.archived,
            "markedUnread": self.marked_unread,
            "push": self.push,
        }


class PersonalLog:
    """Writes the personal logs of all users, and reads them for their feeds.

    Args:
        redis: The client that carries commands out.
        log_limit: Events that a log keeps.
    """

    def __init__(self, redis: RedisClient, *, log_limit: int = LOG_EVENTS) -> None:
        self._redis = redis
        self._log_limit = log_limit
        self._uids = Uids()

    # Written. All raise UnavailableError (nothing was told) and OutcomeUnknownError.

    def added(self, user: str, room: str) -> Awaitable[bool]:
        """Tell that a room is on the user's list, once; false if that was told."""
        return self._settle(user, room, "")

    def removed(self, user: str, room: str, reason: str) -> Awaitable[bool]:
        """Tell that a room is not on the user's list any more, once.

        Args:
            user: Whose list.
            room: The room; if it is on the list again nothing is told.
            reason: Why, a word: ``quit``, ``kicked``, ``banned``, ``deleted`` ...
        """
        return self._settle(user, room, reason)

    def role(self, user: str, room: str, role: str) -> Awaitable[bool]:
        """Tell that the user has another role in a room."""
        return self._append(user, "role", {"room": room, "role": role})

    def block(self, user: str, other: str, *, on: bool) -> Awaitable[bool]:
        """Tell that the user blocks somebody, or does no longer."""
        return self._append(user, "block", {"user": other, "on": on})

    def read_up_to(self, user: str, room: str, message: int) -> Awaitable[bool]:
        """Tell how far the user has read a room, and end their mark of it as unread.

        Args:
            user: Who read.
            room: Where.
            message: ``lastReadMessage``; 0 only ends the mark.
        """
        return scripts.personal_read(
            self._redis,
            **self._names(user),
            mine=keys.user_mine(user),
            room=room,
            message=message,
        )

    async def set_mine(
        self, user: str, room: str, changes: Mapping[str, object]
    ) -> Mine:
        """Change a user's settings of a room, and return all of them.

        Args:
            user: Whose settings.
            room: The room.
            changes: Fields of :class:`Mine` to their new values.

        Raises:
            NotMemberError: The room is not on the user's list.
        """
        on = off = ""
        for name, letter in _FLAGS:
            if name in changes:
                on, off = (on + letter, off) if changes[name] else (on, off + letter)
        if "push" in changes:
            on += _PUSH_LETTERS[str(changes["push"])]
            off += "".join(_PUSH_LETTERS.values())
        found = await scripts.personal_mine_set(
            self._redis,
            **self._names(user),
            mine=keys.user_mine(user),
            user_rooms=keys.user_rooms(user),
            room=room,
            letters_on=on,
            letters_off=off,
        )
        return Mine.from_letters(granted(found))

    # Read.

    def mine(
        self, user: str, rooms: Iterable[str]
    ) -> Coroutine[Any, Any, dict[str, Mine]]:
        """Return a user's settings of these rooms; it is asked when this is called."""
        asked = list(rooms)
        # Of no room nothing is asked; the field of no name stands for one.
        found = self._redis.call("HMGET", keys.user_mine(user), *(asked or [_SEEDED]))
        return self._mine(asked, found)

    @staticmethod
    async def _mine(rooms: list[str], found: Awaitable[Any]) -> dict[str, Mine]:
        return dict(zip(rooms, map(Mine.from_letters, await found), strict=False))

    async def all_mine(self, user: str) -> dict[str, Mine]:
        """Return a user's settings of all rooms that were told of."""
        found = await self._redis.call("HGETALL", keys.user_mine(user))
        told = {
            room.decode(): Mine.from_letters(letters)
            for room, letters in zip(found[::2], found[1::2], strict=True)
        }
        told.pop(_SEEDED, None)
        return told

    async def settle(self, user: str, rooms: Collection[str]) -> None:
        """Tell what was not told of the user's list: a crash came in between.

        The first time all rooms count as told: nobody has read this log yet.

        Args:
            user: Whose list.
            rooms: All rooms on it.
        """
        mine = keys.user_mine(user)
        told = {room.decode() for room in await self._redis.call("HKEYS", mine)}
        if _SEEDED not in told:
            # The last one says that all are there; who has no room keeps no key.
            seeds = (*(room for room in rooms if room not in told), _SEEDED)
            seeded = [self._redis.call("HSETNX", mine, room, "") for room in seeds]
            if not rooms:
                seeded.append(self._redis.call("EXPIRE", mine, LOG_SECONDS))
            await gather_started(*seeded)
            return
        for room in {*rooms} ^ (told - {_SEEDED}):
            await self._settle(user, room, "ended")

    # A feed's side: `room` is the channel of a user here.

    async def top(self, room: str) -> Position:
        """Return the position of the newest event."""
        meta = keys.personal_meta(room)
        offset, uid = await self._redis.call("HMGET", meta, "offset", "uid")
        return START if offset is None else Position(int(offset), uid.decode())

    async def read(
        self,
        room: str,
        after: Position = START,
        *,
        upto: int | None = None,
        limit: int,
        limit_bytes: int = READ_BYTES,
    ) -> LogPage:
        """Return the events after a position, as :meth:`MessageLog.read` does."""
        return await scripts.message_log_read(
            self._redis,
            log=keys.personal_log(room),
            meta=keys.personal_meta(room),
            # It has no messages, so none that were deleted.
            messages=keys.personal_log(room),
            deleted=keys.personal_log(room),
            offset=after.offset,
            uid=after.uid,
            upto="+" if upto is None else upto,
            limit=limit,
            limit_bytes=limit_bytes,
        )

    async def history(
        self,
        *,
        room: str,
        user: str | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int,
    ) -> HistoryPage:
        """Return no messages: who cannot be recovered lists their rooms."""
        return HistoryPage([], more=False, first_available=0)

    def _settle(self, user: str, room: str, reason: str) -> Awaitable[bool]:
        return scripts.personal_log_settle(
            self._redis,
            **self._names(user),
            mine=keys.user_mine(user),
            user_rooms=keys.user_rooms(user),
            room=room,
            reason=reason,
        )

    def _append(
        self, user: str, name: str, payload: Mapping[str, object]
    ) -> Awaitable[bool]:
        body = orjson.dumps(payload)[1:-1]
        return scripts.personal_log_append(
            self._redis, **self._names(user), name=name, body=body
        )

    def _names(self, user: str) -> dict[str, Any]:
        """Return what each script of this log is given."""
        channel = keys.personal_channel(user)
        return {
            "log": keys.personal_log(channel),
            "meta": keys.personal_meta(channel),
            "channel": keys.personal_wire_channel(user, self._redis.database),
            "uid": self._uids.next(),
            "log_limit": self._log_limit,
            "log_bytes": LOG_BYTES,
            "log_age_ms": 1000 * LOG_SECONDS,
            "keep_seconds": LOG_SECONDS,
        }
