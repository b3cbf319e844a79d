"""The room log: messages are numbered, kept and published in one atomic step."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from realtime.errors import UnavailableError
from realtime.redis.client import RedisClient
from realtime.redis.durability import MEMORY, Durability
from realtime.redis.script import ScriptRunner
from realtime.store import events, keys, scripts
from realtime.store.outbox import Outbox
from realtime.store.position import START, Position, Uids
from realtime.store.refusals import error_of, granted
from realtime.store.scripts import Appended, HistoryPage, LogPage, Refusal

_logger = logging.getLogger(__name__)

# Bytes of events read from a log in one go: what one answer of Redis blocks for.
READ_BYTES = 1024 * 1024


_Result = TypeVar("_Result")

# Given what carries a script out and the uid of its event, begin a write.
Write = Callable[[ScriptRunner, str], Awaitable[_Result | Refusal]]


class LogLimits(NamedTuple):
    """How long what is written is kept; see :class:`MessageLog`."""

    remember_seconds: int
    events: int
    age_ms: int
    history: int


class FeedLog(Protocol):
    """What feeds need of logs: a room's, or a user's own."""

    async def top(self, room: str) -> Position:
        """Return the position of the newest event."""
        ...

    async def read(
        self,
        room: str,
        after: Position = START,
        *,
        upto: int | None = None,
        limit: int,
        limit_bytes: int = READ_BYTES,
    ) -> LogPage:
        """Return the events after a position, in order, if the log proves it."""
        ...

    async def history(
        self,
        *,
        room: str,
        user: str | None = None,
        before: int | None = None,
        after: int | None = None,
        limit: int,
    ) -> HistoryPage:
        """Return one page of messages by number, those that a user may see."""
        ...


class MessageLog:
    """Append to, read and page through the logs of all rooms.

    Args:
        redis: The client that carries commands out.
        remember_seconds: How long a ``clientId`` is remembered.
        log_limit: Events that a room's log keeps, at least; trimming is in blocks.
        log_age_ms: Age over which events leave the log, the newest excepted.
        history_limit: Messages that a room's history keeps.
        durability: Confirms appends; None: they are as safe as Redis's memory.

    Attributes:
        durability: The name of the level that an append has reached when it returns.
        limits: How long what is written is kept.
        outbox: Where it is noted for those who pass it on; None: nobody does.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        remember_seconds: int,
        log_limit: int,
        log_age_ms: int,
        history_limit: int,
        durability: Durability | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self._redis = redis
        self._writer: ScriptRunner = redis
        level = MEMORY
        if durability is not None and durability.level != MEMORY:
            # It has a connection of its own, and waits there.
            self._writer, level = durability, durability.level
        self.durability = level.name
        self.limits = LogLimits(remember_seconds, log_limit, log_age_ms, history_limit)
        self._database = redis.database
        self._uids = Uids()
        self.outbox = outbox

    @classmethod
    def reader(cls, redis: RedisClient) -> "MessageLog":
        """Return a log that is only read from: the limits apply to appends."""
        return cls(
            redis, remember_seconds=0, log_limit=0, log_age_ms=0, history_limit=0
        )

    async def append(
        self,
        *,
        room: str,
        user: str,
        client_id: str,
        content: Mapping[str, object],
        name: str | None = None,
        fingerprint: str = "",
        is_mended: bool = False,
    ) -> Appended:
        """Store and publish a message, or return what became of it before.

        Stored and published are one step: there is no message that one node saw and
        another cannot read.

        Args:
            room: Room id.
            user: Who sends; must be a member.
            client_id: The idempotency key, unique for this user in this room.
            content: The message's own members, in the order they are published.
            name: What the sender is called, if they have a name.
            fingerprint: What tells the request from another one of this client_id,
                hexadecimal; empty: the first one counts.
            is_mended: Whether the room's meta hash was just made anew.

        Raises:
            NotMemberError: The user is not a member.
            ForbiddenError: They are muted, or only moderators may write.
            AbsentError: The other one of a direct room is to be brought back first.
            SlowModeError: They wrote a moment ago, and the room is in slow mode.
            InvalidError: The client_id was another operation's or request's, or there
                is no message that this one answers.
            UnavailableError: Nothing was stored.
            OutcomeUnknownError: It may have been stored, or it was and is not yet as
                safe as is demanded; repeat with this client_id.
        """
        outbox = self.outbox
        if outbox is not None and outbox.active and not outbox.is_marked(room):
            await outbox.mark(room)
        names = keys.append_keys(room, user, self._database)
        appended = await scripts.message_log_append(
            self._writer,
            log=names.log,
            messages=names.messages,
            meta=names.meta,
            last_read=names.last_read,
            members=names.members,
            slow=names.slow,
            sent=names.sent_prefix + client_id,
            channel=names.channel,
            user=user,
            uid=self._uids.next(),
            body=events.message_body(room, user, content, client_id, name=name),
            remember_seconds=self.limits.remember_seconds,
            log_limit=self.limits.events,
            log_age_ms=self.limits.age_ms,
            history_limit=self.limits.history,
            fingerprint=fingerprint,
            **_beside_text(room, content),
        )
        if isinstance(appended, Refusal):
            await self._settle(appended, room, is_mended=is_mended)
            return await self.append(
                room=room,
                user=user,
                client_id=client_id,
                content=content,
                name=name,
                fingerprint=fingerprint,
                is_mended=True,
            )
        if outbox is not None and outbox.active:
            outbox.wrote(room)
        return appended

    async def commit(self, room: str, write: Write[_Result]) -> _Result:
        """Have a script write an event, as safely as :meth:`append`; return its result.

        Args:
            room: Room id.
            write: Begins the write; called again where the meta hash was lost.

        Raises:
            ChatError: by what the script refused with.
            UnavailableError: Nothing was written.
            OutcomeUnknownError: It may have been.
        """
        outbox = self.outbox
        if outbox is not None and outbox.active and not outbox.is_marked(room):
            await outbox.mark(room)
        is_mended = False
        while True:
            done = await write(self._writer, self._uids.next())
            if not isinstance(done, Refusal):
                if outbox is not None and outbox.active:
                    outbox.wrote(room)
                return done
            await self._settle(done, room, is_mended=is_mended)
            is_mended = True

    async def _settle(self, refusal: Refusal, room: str, *, is_mended: bool) -> None:
        """Return if what was refused may be written now, raise the reason else."""
        if refusal.reason != "lost":
            raise error_of(refusal)
        if is_mended:
            raise UnavailableError("The room's log is not what was written there.")
        _logger.error("Room %s lost where its log ends; it is looked up", room)
        await self._mend(room)

    async def repeated(
        self,
        *,
        room: str,
        user: str,
        client_id: str,
        operation: str = "",
        fingerprint: str = "",
    ) -> Appended | None:
        """Return what became of a send before; it is as safe as :meth:`append` says.

        Args:
            room: Room id.
            user: Whose request it is.
            client_id: Its idempotency key.
            operation: ``e`` for an edit; empty for a send.
            fingerprint: As of :meth:`append`.

        Raises:
            UnavailableError: Nobody knows.
            OutcomeUnknownError: It was stored, and is not yet as safe as is demanded.
            InvalidError: The client_id was another operation's, or another request's.
        """
        sent = keys.sent(room, user, client_id)
        found = await scripts.message_log_repeated(
            self._writer, sent=sent, operation=operation, fingerprint=fingerprint
        )
        return granted(found)

    async def read(
        self,
        room: str,
        after: Position = START,
        *,
        upto: int | None = None,
        limit: int,
        limit_bytes: int = READ_BYTES,
    ) -> LogPage:
        """Return the events after a position, in order, if the log proves it.

        Args:
            room: Room id.
            after: The last event that is known.
            upto: Highest offset wanted; None for the top.
            limit: Most events returned.
            limit_bytes: With so many bytes of events the page ends.
        """
        return await scripts.message_log_read(
            self._redis,
            log=keys.log(room),
            meta=keys.meta(room),
            messages=keys.messages(room),
            deleted=keys.deleted(room),
            offset=after.offset,
            uid=after.uid,
            upto="+" if upto is None else upto,
            limit=limit,
            limit_bytes=limit_bytes,
        )

    async def top(self, room: str) -> Position:
        """Return the position of the newest event."""
        offset, uid = await self._redis.call("HMGET", keys.meta(room), "offset", "uid")
        if offset is None:
            # A new room, as a rule.
            return await self._mend(room)
        return Position(int(offset), uid.decode())

    def _mend(self, room: str) -> Awaitable[Position]:
        return scripts.message_log_mend(
            self._redis,
            log=keys.log(room),
            messages=keys.messages(room),
            meta=keys.meta(room),
            deleted=keys.deleted(room),
            reactions=keys.reactions(room),
        )

    async def history(
        self,
        *,
        room: str,
        user: str | None = None,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        at: int | None = None,
        limit: int,
    ) -> HistoryPage:
        """Return one page of messages by number, the newest page without bounds.

        Args:
            room: Room id.
            user: Who reads, as far back as they may see; None: everything is read.
            before: Exclusive upper message number; pages go backwards from it.
            after: Exclusive lower message number; pages go forwards from it.
            around: Number that the page is around.
            at: Unix ms; the page is around the first message sent then or later, or
                the last one.
            limit: Most messages returned.

        Raises:
            NotMemberError: The user is no member.
        """
        found = await scripts.message_log_history(
            self._redis,
            messages=keys.messages(room),
            meta=keys.meta(room),
            members=keys.members(room),
            reactions=keys.reactions(room),
            user=user or "",
            before="" if before is None else before,
            after="" if after is None else after,
            limit=limit,
            around="" if around is None else around,
            at="" if at is None else at,
        )
        return granted(found)


def _beside_text(room: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an append looks at more closely; nothing of most messages."""
    has_images = "image" in content
    reply_to = content.get("replyTo", 0)
    mentioned, mention_all = content.get("mentions"), "mentionAll" in content
    if not (has_images or reply_to or mentioned or mention_all):
        return {}
    return {
        "deleted": keys.deleted(room),
        "mentions": keys.mentions(room),
        "mentions_all": keys.mentions_all(room),
        "media": keys.media(room),
        "reply_to": reply_to,
        # An id has no control characters.
        "mentioned": "\n".join(mentioned or ()),
        "mention_all": mention_all,
        "has_images": has_images,
    }
