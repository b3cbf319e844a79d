"""What a room shows besides its messages: who is here, and how far each has read."""

from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

import orjson

from realtime.redis.client import RedisLink
from realtime.store import keys, scripts


class RoomState:
    """The read marks and presence of a room at one moment, kept up by its events.

    ``reads`` and ``online`` are None in a room that is too large to list them.
    """

    __slots__ = ("_announced", "_member_count", "_online", "_online_count", "_reads")

    def __init__(
        self,
        *,
        reads: dict[str, int] | None,
        online: Iterable[str] | None,
        online_count: int,
        member_count: int,
    ) -> None:
        self._reads = reads
        self._online = None if online is None else set(online)
        self._online_count = online_count
        self._member_count = member_count
        self._announced: dict[str, int] = {}

    @property
    def is_listed(self) -> bool:
        """Whether the room is small enough to list its members' marks."""
        return self._reads is not None

    def apply(self, events: Iterable[bytes]) -> None:
        """Take in what was announced while the state was being read, in order.

        Messages are among it: each moves its sender's mark. What the state contains
        already changes nothing.
        """
        for event in events:
            name, payload, *_ = orjson.loads(event)
            if name == "message":
                self._raise_mark(payload["user"], payload["message"])
            elif name == "read":
                self._raise_mark(payload["user"], payload["lastReadMessage"])
            elif name == "presence":
                self._apply_presence(payload)

    def announced_mark(self, user: str) -> int:
        """Return the highest mark of a user that was taken in, 0 if none was.

        Kept in large rooms as well.
        """
        return self._announced.get(user, 0)

    def _raise_mark(self, user: str, mark: int) -> None:
        self._announced[user] = max(mark, self._announced.get(user, 0))
        if self._reads is not None:
            self._reads[user] = max(mark, self._reads.get(user, 0))

    def _apply_presence(self, payload: dict[str, object]) -> None:
        if (count := payload.get("onlineCount")) is not None:
            self._online_count = int(str(count))
        elif self._online is not None:
            user = str(payload["user"])
            (self._online.add if payload["online"] else self._online.discard)(user)
            self._online_count = len(self._online)

    def to_wire(self) -> dict[str, object]:
        """Return the members of an ack or a ``state`` event."""
        return {
            "reads": self._reads,
            "online": None if self._online is None else sorted(self._online),
            "onlineCount": self._online_count,
            "memberCount": self._member_count,
        }


class RoomStates:
    """Reads the state of rooms.

    Args:
        link: The commands' connection.
        announce_members: Members up to which marks, and users online up to which
            names, are listed.
    """

    def __init__(self, link: RedisLink, *, announce_members: int) -> None:
        self._link = link
        self._announce_members = announce_members

    def read(self, room: str) -> Coroutine[Any, Any, RoomState]:
        """Return a room's state, none of it older than this call.

        The call is sent when this is called, not when it is awaited.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        reply = self._link.run(
            scripts.ROOM_STATE_READ,
            (keys.last_read(room), keys.online(room), keys.members(room)),
            (self._announce_members,),
        )
        return self._state(reply)

    @staticmethod
    async def _state(reply: Awaitable[Any]) -> RoomState:
        members, users, lists_marks, marks, lists_users, names = await reply
        reads = None
        if lists_marks:
            pairs = zip(marks[::2], marks[1::2], strict=True)
            reads = {user.decode(): int(mark) for user, mark in pairs}
        return RoomState(
            reads=reads,
            online=[name.decode() for name in names] if lists_users else None,
            online_count=users,
            member_count=members,
        )
