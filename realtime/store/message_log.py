"""The room log: messages are numbered, kept and published in one atomic step."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from realtime.errors import ForbiddenError, OutcomeUnknownError, UnavailableError
from realtime.redis.client import RedisLink
from realtime.redis.connection import Argument
from realtime.redis.durability import MEMORY, Durability, Level
from realtime.redis.script import Script
from realtime.store import keys, scripts
from realtime.store.position import START, Position
from realtime.store.uids import Uids


class Appended(NamedTuple):
    """What became of a send; a repeated ``clientId`` gets the first result.

    ``durability`` names the level that was reached before this was returned.
    """

    message: int
    offset: int
    uid: str
    at: int
    duplicate: bool
    durability: str


class LogPage(NamedTuple):
    """Events after a position.

    ``proved`` is false when the position is not of this log (trimmed, beyond its top,
    or another lineage); then ``events`` is empty.
    """

    proved: bool
    top: Position
    events: list[bytes]


class HistoryPage(NamedTuple):
    """Messages in their present state, ascending, as encoded JSON objects.

    ``more`` tells whether the history holds further ones in the asked direction,
    ``first_available`` the lowest message number that is still kept.
    """

    messages: list[bytes]
    more: bool
    first_available: int


class MessageLog:
    """Append to, read and page through the logs of all rooms.

    Args:
        link: The commands' connection.
        publish_command: ``PUBLISH``, or ``SPUBLISH`` with Redis Cluster.
        remember_seconds: How long a ``clientId`` is remembered.
        log_limit: Events that a room's log keeps, at least; trimming is in blocks.
        log_age_ms: Age over which events leave the log, the newest excepted.
        history_limit: Messages that a room's history keeps.
        durability: Confirms appends; None: they are as safe as Redis's memory.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        publish_command: str = "PUBLISH",
        remember_seconds: int,
        log_limit: int,
        log_age_ms: int,
        history_limit: int,
        durability: Durability | None = None,
    ) -> None:
        self._link = link
        self._publish_command = publish_command
        self._limits = (remember_seconds, log_limit, log_age_ms, history_limit)
        self._history_limit = history_limit
        self._durability = durability
        self._uids = Uids()

    @classmethod
    def reader(cls, link: RedisLink) -> "MessageLog":
        """Return a log that is only read from: the limits apply to appends."""
        return cls(link, remember_seconds=0, log_limit=0, log_age_ms=0, history_limit=0)

    async def append(
        self, *, room: str, user: str, client_id: str, content: Mapping[str, object]
    ) -> Appended:
        """Store and publish a message, or return what became of it before.

        Stored and published are one step: there is no message that one node saw and
        another cannot read.

        Args:
            room: Room id.
            user: Who sends; must be a member.
            client_id: The idempotency key, unique for this user in this room.
            content: The message's own members, in the order they are published.

        Raises:
            ForbiddenError: The user is not a member.
            UnavailableError: Nothing was stored.
            OutcomeUnknownError: It may have been stored, or it was and is not yet as
                safe as the room demands; repeat with this client_id.
        """
        body = orjson.dumps(
            {"room": room, "user": user, **content, "clientId": client_id}
        )[1:-1]
        names = keys.append_keys(room, user)
        call = (
            scripts.MESSAGE_LOG_APPEND,
            (*names.room, names.sent_prefix + client_id),
            (
                names.channel,
                self._publish_command,
                user,
                self._uids.next(),
                body,
                *self._limits,
            ),
        )
        reply, level = await self._stored(*call)
        if reply[0] < 0:
            raise ForbiddenError("You are not a member of this room.")
        return _appended(reply, level)

    async def repeated(
        self, *, room: str, user: str, client_id: str
    ) -> Appended | None:
        """Return what became of a send before, as safe as :meth:`append` makes it.

        Raises:
            UnavailableError: Nobody knows.
            OutcomeUnknownError: It was stored and is not yet as safe as is demanded.
        """
        call = (
            scripts.MESSAGE_LOG_REPEATED,
            (keys.sent(room, user, client_id), keys.meta(room)),
            (),
        )
        reply, level = await self._stored(*call)
        return _appended(reply, level) if reply else None

    async def _stored(
        self, script: Script, names: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, Level]:
        """Run a script that answers as an append does, until that is safe."""
        call = (script, names, args)
        level = MEMORY if self._durability is None else self._durability.level(None)
        reply = await self._run(level, *call)
        if reply and reply[0] >= 0 and self._durability is not None:
            own_level = self._durability.level(reply[5].decode() or None)
            if own_level != level:
                # The room demands more, or less, than was asked for: the same call,
                # again, waits for that and changes nothing else.
                level = own_level
                try:
                    reply = await self._run(level, *call)
                except UnavailableError as error:
                    # Said of the second call only: the first one has stored it.
                    raise OutcomeUnknownError(error.message) from error
        return reply, level

    async def _run(
        self,
        level: Level,
        script: Script,
        names: Sequence[str],
        args: Sequence[Argument],
    ) -> Any:
        if self._durability is None or level == MEMORY:
            return await self._link.run(script, names, args)
        return await self._durability.run(level, script, names, args)

    async def read(
        self,
        room: str,
        after: Position = START,
        *,
        upto: int | None = None,
        limit: int,
    ) -> LogPage:
        """Return the events after a position, in order, if the log proves it.

        Args:
            room: Room id.
            after: The last event that is known.
            upto: Highest offset wanted; None for the top.
            limit: Most events returned.
        """
        proved, top_offset, top_uid, events = await self._link.run(
            scripts.MESSAGE_LOG_READ,
            (keys.log(room), keys.meta(room)),
            (after.offset, after.uid, "+" if upto is None else upto, limit),
        )
        return LogPage(proved == 1, Position(top_offset, top_uid.decode()), events)

    async def top(self, room: str) -> Position:
        """Return the position of the newest event."""
        offset, uid = await self._link.call("HMGET", keys.meta(room), "offset", "uid")
        return START if offset is None else Position(int(offset), uid.decode())

    async def history(
        self,
        *,
        room: str,
        before: int | None = None,
        after: int | None = None,
        limit: int,
    ) -> HistoryPage:
        """Return one page of messages by number, the newest page without bounds.

        Args:
            room: Room id.
            before: Exclusive upper message number; pages go backwards from it.
            after: Exclusive lower message number; pages go forwards from it.
            limit: Most messages returned.
        """
        found = await self._link.call("HGET", keys.meta(room), "lastMessage")
        last = int(found or 0)
        first_available = max(1, last - self._history_limit + 1)
        if after is not None:
            low = max(after + 1, first_available)
            high = min(low + limit - 1, last)
            more = high < last
        else:
            high = last if before is None else min(before - 1, last)
            low = max(high - limit + 1, first_available)
            more = low > first_available
        if high < low:
            return HistoryPage([], False, first_available)
        found = await self._link.call(
            "HMGET", keys.messages(room), *range(low, high + 1)
        )
        # A number that was trimmed between the two commands is simply not there.
        messages = [message for message in found if message is not None]
        return HistoryPage(messages, more, first_available)


def _appended(reply: Any, level: Level) -> Appended:
    duplicate, message, offset, uid, at, _own_level = reply
    return Appended(message, offset, uid.decode(), at, duplicate == 1, level.name)
