"""A room's log: append, read, and what mends it."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.position import Position
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

MESSAGE_LOG_APPEND = load("message_log_append")
MESSAGE_LOG_HISTORY = load("message_log_history")
MESSAGE_LOG_MEND = load("message_log_mend")
MESSAGE_LOG_READ = load("message_log_read")
MESSAGE_LOG_REPEATED = load("message_log_repeated")


class Appended(NamedTuple):
    """What became of a send; a repeated ``clientId`` gets the first result."""

    message: int
    offset: int
    uid: str
    at: int
    duplicate: bool


async def message_log_append(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    last_read: str,
    members: str,
    slow: str,
    sent: str,
    deleted: str = "",
    mentions: str = "",
    mentions_all: str = "",
    media: str = "",
    channel: str,
    user: str,
    uid: str,
    body: bytes,
    remember_seconds: int,
    log_limit: int,
    log_age_ms: int,
    history_limit: int,
    fingerprint: str,
    reply_to: int = 0,
    mentioned: str = "",
    mention_all: bool = False,
    has_images: bool = False,
) -> Appended | Refusal:
    """Store a message and publish it.

    What a message answers, mentions and shows is left out of a text that does none of
    this, with the keys from ``deleted`` on.

    The only one that is sent when it is awaited, one call less for each message.
    """
    more_keys: tuple[str, ...] = ()
    more_args: tuple[int | str, ...] = ()
    if mentions:
        more_keys = (deleted, mentions, mentions_all, media)
        more_args = (reply_to, mentioned, int(mention_all), int(has_images))
    reply = await redis.run_script(
        MESSAGE_LOG_APPEND,
        (log, messages, meta, last_read, members, slow, sent, *more_keys),
        (
            channel,
            redis.publish_command,
            user,
            uid,
            body,
            remember_seconds,
            log_limit,
            log_age_ms,
            history_limit,
            fingerprint,
            *more_args,
        ),
    )
    if reply[0] < 0:
        return refusal(reply)
    duplicate, message, offset, stored_uid, at = reply
    return Appended(message, offset, stored_uid.decode(), at, duplicate == 1)


class HistoryPage(NamedTuple):
    """Messages in their present state, ascending, as encoded JSON objects.

    ``more`` tells whether there are further ones in the asked direction,
    ``first_available`` the lowest message number that the user can have. Of a page
    around a message ``more_after`` tells of newer ones, ``around`` is its number.
    """

    messages: list[bytes]
    more: bool
    first_available: int
    more_after: bool = False
    around: int = 0


def _history(said: Any) -> HistoryPage | Refusal:
    if said[0] < 0:
        return refusal(said)
    # What was lost leaves a hole.
    first, more, page, more_after, around = said
    messages = [each for each in page if each]
    return HistoryPage(messages, more == 1, first, more_after == 1, around)


def message_log_history(
    redis: ScriptRunner,
    *,
    messages: str,
    meta: str,
    members: str,
    reactions: str,
    user: str,
    before: int | str,
    after: int | str,
    limit: int,
    around: int | str,
    at: int | str,
) -> Awaitable[HistoryPage | Refusal]:
    """Read a page of messages as a user may see them."""
    reply = redis.run_script(
        MESSAGE_LOG_HISTORY,
        (messages, meta, members, reactions),
        (user, before, after, limit, around, at),
    )
    return Parsed(reply, _history)


def message_log_mend(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    deleted: str,
    reactions: str,
) -> Awaitable[Position]:
    """Make a meta hash that was lost anew; return the log's top."""
    reply = redis.run_script(
        MESSAGE_LOG_MEND, (log, messages, meta, deleted, reactions), ()
    )
    return Parsed(reply, lambda said: Position(said[0], said[1].decode()))


def message_log_repeated(
    redis: ScriptRunner, *, sent: str, operation: str, fingerprint: str
) -> Awaitable[Appended | Refusal | None]:
    """Return what became of a send, or of an edit, before; None: there was none."""
    reply = redis.run_script(MESSAGE_LOG_REPEATED, (sent,), (operation, fingerprint))
    return Parsed(reply, _repeated)


def _repeated(said: Any) -> Appended | Refusal | None:
    if not said:
        return None
    if said[0] < 0:
        return refusal(said)
    _, message, offset, uid, at = said
    return Appended(message, offset, uid.decode(), at, duplicate=True)


class LogPage(NamedTuple):
    """Events after a position.

    ``proved`` is false when the position is not of this log (trimmed, beyond its top,
    or another lineage); then ``events`` is empty.
    """

    proved: bool
    top: Position
    events: list[bytes]


def message_log_read(
    redis: ScriptRunner,
    *,
    log: str,
    meta: str,
    messages: str,
    deleted: str,
    offset: int,
    uid: str,
    upto: int | str,
    limit: int,
    limit_bytes: int,
) -> Awaitable[LogPage]:
    """Read the events after a position, if the log proves it."""
    reply = redis.run_script(
        MESSAGE_LOG_READ,
        (log, meta, messages, deleted),
        (offset, uid, upto, limit, limit_bytes),
    )
    return Parsed(
        reply,
        lambda said: LogPage(
            said[0] == 1, Position(said[1], said[2].decode()), said[3]
        ),
    )
