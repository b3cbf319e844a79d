"""What a room shows besides its messages: who is here, and how far each has read."""

from collections.abc import Awaitable, Coroutine, Iterable
from typing import Any

from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts


class RoomSnapshot:
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

    def apply(self, arrived: Iterable[bytes]) -> None:
        """Take in what was announced while the state was being read, in order.

        Messages are among it: each moves its sender's mark. What the state contains
        already changes nothing.
        """
        for name, payload in events.decode(arrived):
            if name == events.MESSAGE:
                self._raise_mark(payload["user"], payload["message"])
            elif name == events.READ:
                self._raise_mark(payload["user"], payload["lastReadMessage"])
            elif name == events.PRESENCE:
                self._apply_presence(payload)
            elif name == events.MEMBER_COUNT:
                self._member_count = payload["memberCount"]

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


class RoomSnapshots:
    """Reads the state of rooms.

    Args:
        redis: The client that carries commands out.
        announce_members: Members up to which marks, and users online up to which
            names, are listed.
    """

    def __init__(self, redis: RedisClient, *, announce_members: int) -> None:
        self._redis = redis
        self._announce_members = announce_members

    def read(self, room: str) -> Coroutine[Any, Any, RoomSnapshot]:
        """Return a room's state, none of it older than this call.

        The call is sent when this is called, not when it is awaited.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        return self._snapshot(
            scripts.room_snapshot_read(
                self._redis,
                last_read=keys.last_read(room),
                online=keys.online(room),
                members=keys.members(room),
                limit=self._announce_members,
            )
        )

    @staticmethod
    async def _snapshot(found: Awaitable[scripts.Snapshot]) -> RoomSnapshot:
        snapshot = await found
        return RoomSnapshot(
            reads=snapshot.marks,
            online=snapshot.users,
            online_count=snapshot.online_count,
            member_count=snapshot.member_count,
        )
