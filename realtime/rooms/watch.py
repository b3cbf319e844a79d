"""Which rooms the users of this node watch from their lists, and what passed in each.

A watched room has no feed and no memory of its events: one subscription, and what the
list shows of it. Users and rooms are numbered, so that one watching the other takes two
numbers of four bytes.
"""

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import orjson

from realtime.rooms.feeds import RoomFeeds
from realtime.store import events, keys
from realtime.store.room_lists import Standing

_Coded = TypeVar("_Coded")


class Codes(Generic[_Coded]):
    """Things by small numbers; that of a thing that is gone is given to another."""

    def __init__(self) -> None:
        self._things: list[_Coded | None] = []
        self._free: list[int] = []

    def add(self, thing: _Coded) -> int:
        """Return the number that the thing has from now on."""
        if self._free:
            code = self._free.pop()
            self._things[code] = thing
        else:
            code = len(self._things)
            self._things.append(thing)
        return code

    def find(self, code: int) -> _Coded | None:
        """Return what has a number now."""
        return self._things[code]

    def remove(self, code: int) -> None:
        """Forget a thing."""
        self._things[code] = None
        self._free.append(code)


class WatchedRoom:
    """A room that users of this node have on their lists.

    Attributes:
        at: When its last message was stored, but for `news`; -1: that is not known.
        channel: Its channel.
        code: Its number.
        offset: Of the last event that passed; 0: none is known.
        last_message: The highest message number that is known.
        news: The newest message's event, until it was told.
        is_stale: Whether it is to be read anew: its news are not all that there is.
        marks: Users whose own message passed, to its number.
        users: The numbers of those who watch it.
    """

    __slots__ = (
        "at",
        "channel",
        "code",
        "is_stale",
        "last_message",
        "marks",
        "news",
        "offset",
        "users",
    )

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.code = -1
        self.at = -1
        self.offset = 0
        self.last_message = 0
        self.news: bytes | None = None
        self.is_stale = False
        self.marks: dict[str, int] | None = None
        self.users = array("I")

    @property
    def room(self) -> str:
        """Its id."""
        return keys.room_of_channel(self.channel)


class WatchingUser:
    """A user whose devices at this node show a list of rooms.

    Attributes:
        name: The user.
        code: Their number.
        holds: Sessions that asked for it, those on their way included.
        rooms: The numbers of the rooms that are watched for them.
        unwatched: Rooms of theirs that are not: there were too many.
    """

    __slots__ = ("code", "holds", "name", "rooms", "unwatched")

    def __init__(self, name: str) -> None:
        self.name = name
        self.code = -1
        self.holds = 0
        self.rooms = array("I")
        self.unwatched: tuple[str, ...] = ()


class Watch:
    """Users and the rooms on their lists, both ways.

    Args:
        feeds: Subscribes rooms.
        limit: Rooms that are watched at most.
        limited: Counts how often there were more.

    Attributes:
        changed: Rooms in which something passed that the lists do not show yet.
        departed: Users who are no members of a room any more and may not have been
            told so, to why.
        has_departed: Set when there are some.
    """

    def __init__(self, feeds: RoomFeeds, *, limit: int, limited: Counter[str]) -> None:
        self._feeds = feeds
        self._limit = limit
        self._limited = limited
        self._rooms: dict[str, WatchedRoom] = {}
        self._users: dict[str, WatchingUser] = {}
        # By the user's id as events have it, encoded.
        self._authors: dict[bytes, WatchingUser] = {}
        self._room_codes: Codes[WatchedRoom] = Codes()
        self._user_codes: Codes[WatchingUser] = Codes()
        self.changed: set[WatchedRoom] = set()
        self.departed: dict[tuple[str, str], str] = {}
        self.has_departed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[WatchedRoom]:
        return iter(self._rooms.values())

    def held(self) -> dict[str, int]:
        """Return what is kept of lists, counted by kind."""
        return {
            "watched_rooms": len(self._rooms),
            "watching_users": len(self._users),
            "watched_pairs": sum(len(each.users) for each in self._rooms.values()),
            "watched_changed": len(self.changed),
            "watched_departed": len(self.departed),
        }

    def find(self, channel: str) -> WatchedRoom | None:
        """Return a room if it is watched."""
        return self._rooms.get(channel)

    def user(self, name: str) -> WatchingUser | None:
        """Return a user who watches."""
        return self._users.get(name)

    def watching(self, room: WatchedRoom, codes: Iterable[int]) -> Iterator[str]:
        """Yield those of the users with these numbers who watch a room now."""
        if self._rooms.get(room.channel) is not room:
            return
        for code in codes:
            user = self._user_codes.find(code)
            if user is not None and room.code in user.rooms:
                yield user.name

    # Who watches what.

    def hold(self, name: str) -> WatchingUser:
        """Begin to watch for a user, or go on until one :meth:`release` more."""
        user = self._users.get(name)
        if user is None:
            user = self._users[name] = WatchingUser(name)
            user.code = self._user_codes.add(user)
            self._authors[orjson.dumps(name)] = user
        user.holds += 1
        return user

    def release(self, name: str) -> None:
        """Give one hold back; with the last one nothing is watched for the user."""
        user = self._users[name]
        user.holds -= 1
        if user.holds:
            return
        for code in user.rooms:
            room = self._room_codes.find(code)
            if room is not None:
                self._leave(room, user)
        del self._users[name], self._authors[orjson.dumps(name)]
        self._user_codes.remove(user.code)

    def set_rooms(self, name: str, rooms: Iterable[str]) -> list[asyncio.Future[None]]:
        """Watch these rooms for a user, and no others.

        Returns:
            What is done when Redis has confirmed the subscriptions that are new.
        """
        user = self._users.get(name)
        if user is None:
            return []
        wanted = set(rooms)
        for code in [*user.rooms]:
            room = self._room_codes.find(code)
            if room is not None and room.room not in wanted:
                self.remove(name, room.room)
        user.unwatched = ()
        return [
            subscribed
            for room_id in wanted
            if (subscribed := self.add(name, room_id)) is not None
        ]

    def add(self, name: str, room_id: str) -> asyncio.Future[None] | None:
        """Watch a room for a user; return its subscription if that is new."""
        user = self._users.get(name)
        if user is None:
            return None
        channel = keys.channel(room_id)
        room = self._rooms.get(channel)
        subscribed = None
        if room is None:
            if len(self._rooms) >= self._limit:
                if room_id not in user.unwatched:
                    user.unwatched += (room_id,)
                    self._limited["node_watched_rooms"] += 1
                return None
            room = self._rooms[channel] = WatchedRoom(channel)
            room.code = self._room_codes.add(room)
            subscribed = self._feeds.watch(channel)
        elif room.code in user.rooms:
            return None
        user.rooms.append(room.code)
        room.users.append(user.code)
        if room in self.changed:
            # What passed before they came may not be theirs to see.
            room.is_stale = True
        return subscribed

    def remove(self, name: str, room_id: str) -> bool:
        """Watch a room for a user no longer; true if it was."""
        user = self._users.get(name)
        if user is None:
            return False
        if room_id in user.unwatched:
            user.unwatched = tuple(each for each in user.unwatched if each != room_id)
        room = self._rooms.get(keys.channel(room_id))
        if room is None or room.code not in user.rooms:
            return False
        user.rooms.remove(room.code)
        self._leave(room, user)
        return True

    def depart(self, name: str, room_id: str, reason: str = "ended") -> None:
        """Watch a room no more for a user who is no member; their log is to say so."""
        if self.remove(name, room_id):
            self.departed[name, room_id] = reason
            self.has_departed.set()

    def _leave(self, room: WatchedRoom, user: WatchingUser) -> None:
        room.users.remove(user.code)
        if room.marks is not None:
            room.marks.pop(user.name, None)
        if not room.users:
            del self._rooms[room.channel]
            self._room_codes.remove(room.code)
            self.changed.discard(room)
            self._feeds.unwatch(room.channel)

    # What passes.

    def passed(self, channel: str, event: bytes) -> bool:
        """Take an event of a room's channel; true if a list is to show it."""
        room = self._rooms.get(channel)
        if room is None:
            return False
        place = events.place_of(event)
        if place is None:
            # Who is here, who types: no list shows it.
            return False
        room.offset = place.offset
        if place.name == events.MESSAGE and place.message is not None:
            room.last_message = place.message
            room.news = event
            author = self._authors.get(place.user or b"")
            if author is not None:
                marks = room.marks = room.marks or {}
                marks[author.name] = place.message
        elif place.message is not None and place.message != room.last_message:
            # What became of an older message is not on a list.
            return False
        else:
            room.is_stale = True
        self.changed.add(room)
        return True

    def stale(self, room: WatchedRoom) -> None:
        """Have a room read anew: what passed there may have been missed."""
        room.is_stale = True
        self.changed.add(room)

    def known(self, standing: Standing) -> None:
        """Take where a room stood, if nothing passed since it is watched."""
        room = self._rooms.get(keys.channel(standing.room))
        if room is None or room.at >= 0:
            return
        room.at = standing.at
        if not room.offset:
            room.offset, room.last_message = standing.offset, standing.last_message

    def standings(self, name: str) -> list[Standing] | None:
        """Return where all rooms of a user stand; None if it is not known of each."""
        user = self._users.get(name)
        if user is None or user.unwatched:
            return None
        found: list[Standing] = []
        for code in user.rooms:
            room = self._room_codes.find(code)
            if room is None or room.at < 0 or room.is_stale:
                return None
            at = room.at if room.news is None else events.time_of_event(room.news)
            found.append(Standing(room.room, at, room.last_message, room.offset))
        return found
