"""lastReadMessage: how far each user has read each room."""

from typing import NamedTuple

import orjson

from realtime.errors import ForbiddenError
from realtime.redis.client import RedisLink
from realtime.store import keys, scripts


class ReadMark(NamedTuple):
    """A user's mark after a change, and the messages above it."""

    last_read_message: int
    unread: int


class ReadState:
    """Marks that only ever rise, announced in the step that raises them.

    Args:
        link: The commands' connection.
        publish_command: ``PUBLISH``, or ``SPUBLISH`` with Redis Cluster.
        announce_members: Up to this many members everybody is told of each mark;
            above it only the user's own sessions are.
        namespace: The Socket.IO namespace of the events.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        publish_command: str = "PUBLISH",
        announce_members: int,
        namespace: str = "/chat",
    ) -> None:
        self._link = link
        self._publish_command = publish_command
        self._announce_members = announce_members
        self._namespace = namespace

    async def mark(self, *, room: str, user: str, message: int) -> ReadMark:
        """Raise a user's mark to a message number, at most to the room's last.

        A number below the present mark changes nothing and announces nothing.

        Raises:
            ForbiddenError: The user is not a member.
        """
        fields = orjson.dumps({"room": room, "user": user})[:-1]
        payload = fields + b',"lastReadMessage":'
        own = orjson.dumps(
            {
                "method": "emit",
                "event": "read",
                "namespace": self._namespace,
                "room": keys.user_sessions_room(user),
            }
        )[:-1]
        reply = await self._link.run(
            scripts.READ_STATE_MARK,
            (keys.last_read(room), keys.meta(room), keys.members(room)),
            (
                keys.channel(room),
                self._publish_command,
                user,
                message,
                self._announce_members,
                b'["read",' + payload,
                own + b',"data":[' + payload,
                b"}]",
                b"}]}",
            ),
        )
        if reply[0] < 0:
            raise ForbiddenError("You are not a member of this room.")
        mark, last_message = reply
        return ReadMark(mark, last_message - mark)
