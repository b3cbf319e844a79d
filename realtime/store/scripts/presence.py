"""Who is online in a room, and how many are or belong to it."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

PRESENCE_ENTER = load("presence_enter")
PRESENCE_LEAVE = load("presence_leave")
ROOM_COUNT = load("room_count")


def room_count(
    redis: ScriptRunner,
    *,
    counted: str,
    least: int,
    channel: str,
    head: bytes,
    tail: bytes,
) -> Awaitable[int]:
    """Announce how many there are in a hash of a room, and return it."""
    reply = redis.run_script(
        ROOM_COUNT, (counted,), (least, channel, redis.publish_command, head, tail)
    )
    return Parsed(reply, int)


class PresenceChange(NamedTuple):
    """Whether a user came or went by it, and how many users are online now."""

    changed: bool
    users: int


def _presence_change(said: Any) -> PresenceChange:
    return PresenceChange(said[0] == 1, said[1])


def presence_enter(
    redis: ScriptRunner,
    *,
    sessions: str,
    online: str,
    quits: str,
    sid: str,
    user: str,
    entry: bytes,
    channel: str,
    announce_users: int,
    event: bytes,
) -> Awaitable[PresenceChange]:
    """List a session in a room; announce a user who was not there."""
    reply = redis.run_script(
        PRESENCE_ENTER,
        (sessions, online, quits),
        (sid, user, entry, channel, redis.publish_command, announce_users, event),
    )
    return Parsed(reply, _presence_change)


def presence_leave(
    redis: ScriptRunner,
    *,
    sessions: str,
    online: str,
    sid: str,
    node: str,
    channel: str,
    announce_users: int,
    head: bytes,
    tail: bytes,
) -> Awaitable[PresenceChange]:
    """Take a session off a room's list; announce a user whose last one it was."""
    reply = redis.run_script(
        PRESENCE_LEAVE,
        (sessions, online),
        (sid, node, channel, redis.publish_command, announce_users, head, tail),
    )
    return Parsed(reply, _presence_change)
