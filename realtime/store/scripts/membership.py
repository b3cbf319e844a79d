"""Who belongs to a room, and which rooms a user lists."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

MEMBERSHIP_ADMIT = load("membership_admit")
MEMBERSHIP_CLAIM = load("membership_claim")
MEMBERSHIP_QUIT = load("membership_quit")


class Admission(NamedTuple):
    """A member as they enter a room; ``new``: they became one by this.

    ``record`` is their member record, JSON; ``settings`` are those of the room;
    ``offset`` is the log's top when the numbers were read, ``deletion`` that of the
    last message's deletion, or a lower one.
    """

    new: bool
    last_message: int
    last_read_message: int
    record: bytes
    unread: int
    offset: int
    pins: list[int]
    settings: "RoomSettings"
    unread_mentions: int
    deletion: int


class RoomSettings(NamedTuple):
    """What is set of a room; empty: as by default.

    ``rv`` is the offset of the event that set it last; empty: none did.
    """

    kind: bytes
    history: bytes
    name: bytes
    topic: bytes
    data: bytes
    writers: bytes
    slow: bytes
    invite: bytes
    rv: bytes


def _admission(said: Any) -> Admission | Refusal:
    if said[0] < 0:
        return refusal(said)
    new, last, read, record, unread, offset, pins, settings, mentions, deletion = said
    return Admission(
        *(new == 1, last, read, record, unread, offset, pins),
        *(RoomSettings(*settings), mentions, deletion),
    )


def membership_admit(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    meta: str,
    quits: str,
    staff: str,
    bans: str,
    deleted: str,
    pins: str,
    invites: str,
    mentions: str,
    mentions_all: str,
    member_ids: str,
    kept_aside: Sequence[str],
    user: str,
    opens: bool,
    returning: bool,
    keep_seconds: int,
    invite: str,
) -> Awaitable[Admission | Refusal]:
    """Make a user a member, if not one yet and they may be."""
    reply = redis.run_script(
        MEMBERSHIP_ADMIT,
        (
            *(members, last_read, meta, quits, staff, bans, deleted, pins, invites),
            *(mentions, mentions_all, member_ids),
            *kept_aside,
        ),
        (user, int(opens), int(returning), keep_seconds, invite),
    )
    return Parsed(reply, _admission)


class Claim(NamedTuple):
    """Whether a room is on a user's list, and was put there now.

    If it is not, 0 ms to wait say that the list is full.
    """

    listed: bool
    wait_ms: int
    new: bool


def membership_claim(
    redis: ScriptRunner,
    *,
    user_rooms: str,
    new_rooms: str,
    room: str,
    limit: int,
    each_ms: int,
    burst_ms: int,
) -> Awaitable[Claim]:
    """Put a room on a user's list, by their limit and rate."""
    reply = redis.run_script(
        MEMBERSHIP_CLAIM, (user_rooms, new_rooms), (room, limit, each_ms, burst_ms)
    )
    return Parsed(reply, lambda said: Claim(said[0] == 1, said[1], said[2] == 1))


def membership_quit(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    quits: str,
    meta: str,
    staff: str,
    mentions: str,
    member_ids: str,
    ending: Sequence[str],
    user: str,
    keep_seconds: int,
    channel: str,
    control: bytes,
    empty_seconds: int,
) -> Awaitable[str | None]:
    """End a membership and tell all nodes; return who became owner by it, if so."""
    reply = redis.run_script(
        MEMBERSHIP_QUIT,
        (
            *(members, last_read, quits, meta, staff, mentions, member_ids),
            *ending,
        ),
        (user, keep_seconds, channel, redis.publish_command, control, empty_seconds),
    )
    return Parsed(reply, lambda said: said.decode() or None)
