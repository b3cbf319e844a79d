"""A user's personal log, and the settings of their rooms that it tells of."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.connection import Argument
from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

PERSONAL_LOG_APPEND = load("personal_log_append")
PERSONAL_LOG_SETTLE = load("personal_log_settle")
PERSONAL_MINE_SET = load("personal_mine_set")
PERSONAL_READ = load("personal_read")
ROOM_NEWS_READ = load("room_news_read")


def personal_log_append(
    redis: ScriptRunner,
    *,
    log: str,
    meta: str,
    channel: str,
    uid: str,
    log_limit: int,
    log_bytes: int,
    log_age_ms: int,
    keep_seconds: int,
    name: str,
    body: bytes,
) -> Awaitable[bool]:
    """Write an event of a user's log and publish it."""
    limits = (log_limit, log_bytes, log_age_ms, keep_seconds)
    told: tuple[Argument, ...] = (channel, redis.publish_command, uid, *limits)
    reply = redis.run_script(PERSONAL_LOG_APPEND, (log, meta), (*told, name, body))
    return Parsed(reply, bool)


def personal_log_settle(
    redis: ScriptRunner,
    *,
    log: str,
    meta: str,
    mine: str,
    user_rooms: str,
    channel: str,
    uid: str,
    log_limit: int,
    log_bytes: int,
    log_age_ms: int,
    keep_seconds: int,
    room: str,
    reason: str,
) -> Awaitable[bool]:
    """Tell of a room on the user's list, or no more on it; false: that was told."""
    limits = (log_limit, log_bytes, log_age_ms, keep_seconds)
    told: tuple[Argument, ...] = (channel, redis.publish_command, uid, *limits)
    reply = redis.run_script(
        PERSONAL_LOG_SETTLE, (log, meta, mine, user_rooms), (*told, room, reason)
    )
    return Parsed(reply, bool)


def personal_mine_set(
    redis: ScriptRunner,
    *,
    log: str,
    meta: str,
    mine: str,
    user_rooms: str,
    channel: str,
    uid: str,
    log_limit: int,
    log_bytes: int,
    log_age_ms: int,
    keep_seconds: int,
    room: str,
    letters_on: str,
    letters_off: str,
) -> Awaitable[str | Refusal]:
    """Change a user's settings of a room, and return the letters of all that hold."""
    limits = (log_limit, log_bytes, log_age_ms, keep_seconds)
    told: tuple[Argument, ...] = (channel, redis.publish_command, uid, *limits)
    reply = redis.run_script(
        PERSONAL_MINE_SET,
        (log, meta, mine, user_rooms),
        (*told, room, letters_on, letters_off),
    )
    return Parsed(reply, _letters)


def _letters(said: Any) -> str | Refusal:
    return refusal(said) if isinstance(said, list) else str(said, "ascii")


def personal_read(
    redis: ScriptRunner,
    *,
    log: str,
    meta: str,
    mine: str,
    channel: str,
    uid: str,
    log_limit: int,
    log_bytes: int,
    log_age_ms: int,
    keep_seconds: int,
    room: str,
    message: int,
) -> Awaitable[bool]:
    """Tell how far a user has read a room, and end their mark of it as unread."""
    limits = (log_limit, log_bytes, log_age_ms, keep_seconds)
    told: tuple[Argument, ...] = (channel, redis.publish_command, uid, *limits)
    reply = redis.run_script(PERSONAL_READ, (log, meta, mine), (*told, room, message))
    return Parsed(reply, bool)


class News(NamedTuple):
    """What a list of rooms shows of a room; what is text may be empty."""

    offset: int
    last_message: int
    at: int
    member_count: int
    newest: bytes
    name: bytes
    kind: bytes


def room_news_read(
    redis: ScriptRunner, *, meta: str, messages: str, members: str, reactions: str
) -> Awaitable[News]:
    """Read what a list of rooms shows of a room."""
    reply = redis.run_script(ROOM_NEWS_READ, (meta, messages, members, reactions), ())
    return Parsed(reply, lambda said: News(*said))
