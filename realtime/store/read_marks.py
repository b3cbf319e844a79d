"""lastReadMessage: how far each user has read each room."""

from collections.abc import Sequence

from realtime.errors import ForbiddenError
from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts


class ReadMarks:
    """Marks that only ever rise, announced in the step that raises them.

    Args:
        redis: The client that carries commands out.
        announce_members: Up to this many members everybody is told of each mark;
            above it only the user's own sessions are.
        namespace: The Socket.IO namespace of the events.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        announce_members: int,
        namespace: str = "/chat",
    ) -> None:
        self._redis = redis
        self._announce_members = announce_members
        self._namespace = namespace

    async def mark(self, *, room: str, user: str, message: int) -> scripts.Marks:
        """Raise a user's mark to a message number, at most to the room's last.

        A number below the present mark changes nothing and announces nothing.

        Raises:
            ForbiddenError: The user is not a member.
        """
        public = events.read(room, user)
        own = events.own_read(room, user, self._namespace)
        marks = await scripts.read_marks_raise(
            self._redis,
            last_read=keys.last_read(room),
            meta=keys.meta(room),
            members=keys.members(room),
            deleted=keys.deleted(room),
            mentions=keys.mentions(room),
            channel=keys.wire_channel(room, self._redis.database),
            user=user,
            message=message,
            announce_members=self._announce_members,
            head=public.head,
            tail=public.tail,
            own_head=own.head,
            own_tail=own.tail,
        )
        if marks is None:
            raise ForbiddenError("You are not a member of this room.")
        return marks

    async def unread_by(self, *, room: str, messages: Sequence[int]) -> list[int]:
        """Return how many members have not read each message, in rooms of any size.

        Who became a member later does not count: their mark began above it.
        """
        return await scripts.reads_count(
            self._redis,
            last_read=keys.last_read(room),
            meta=keys.meta(room),
            numbers=" ".join(map(str, messages)),
        )
