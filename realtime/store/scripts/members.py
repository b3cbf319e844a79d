"""What somebody does to a room's members and settings, by their role."""

from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

MEMBER_REMOVE = load("member_remove")
MEMBER_SET = load("member_set")
MEMBER_UNBAN = load("member_unban")
MEMBERS_ADD = load("members_add")
ROOM_CREATE = load("room_create")
ROOM_DELETE = load("room_delete")
ROOM_SET = load("room_set")


def _done(said: Any) -> bool | Refusal:
    return refusal(said) if said[0] == -1 else said[0] == 1


def member_remove(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    quits: str,
    meta: str,
    log: str,
    messages: str,
    staff: str,
    bans: str,
    audit: str,
    mentions: str,
    member_ids: str,
    ending: Sequence[str],
    actor: str,
    user: str,
    ban_ms: int,
    uid: str,
    body: bytes,
    log_limit: int,
    log_age_ms: int,
    keep_seconds: int,
    empty_seconds: int,
    bans_limit: int,
    channel: str,
    control: bytes,
) -> Awaitable[bool | Refusal]:
    """Put a user out of a room; false: they were no member, and are banned now."""
    reply = redis.run_script(
        MEMBER_REMOVE,
        (
            *(members, last_read, quits, meta, log, messages, staff, bans, audit),
            *(mentions, member_ids),
            *ending,
        ),
        (
            actor,
            user,
            ban_ms,
            uid,
            body,
            log_limit,
            log_age_ms,
            keep_seconds,
            empty_seconds,
            bans_limit,
            channel,
            redis.publish_command,
            control,
        ),
    )
    return Parsed(reply, _done)


class Standing(NamedTuple):
    """A member's role, and Unix ms until which they may not write, 0: they may."""

    role: str
    muted_until: int


def _standing(said: Any) -> Standing | Refusal:
    if said[0] == -1:
        return refusal(said)
    return Standing(said[0].decode(), said[1])


def member_set(
    redis: ScriptRunner,
    *,
    members: str,
    meta: str,
    log: str,
    messages: str,
    staff: str,
    audit: str,
    actor: str,
    user: str,
    role: str,
    mute_ms: int,
    uid: str,
    body: bytes,
    log_limit: int,
    log_age_ms: int,
    channel: str,
) -> Awaitable[Standing | Refusal]:
    """Give a member another role, or keep them from writing for a while."""
    reply = redis.run_script(
        MEMBER_SET,
        (members, meta, log, messages, staff, audit),
        (
            actor,
            user,
            role,
            mute_ms,
            uid,
            body,
            log_limit,
            log_age_ms,
            channel,
            redis.publish_command,
        ),
    )
    return Parsed(reply, _standing)


def members_add(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    meta: str,
    quits: str,
    log: str,
    messages: str,
    staff: str,
    bans: str,
    audit: str,
    member_ids: str,
    actor: str,
    user: str,
    role: str,
    uid: str,
    body: bytes,
    log_limit: int,
    log_age_ms: int,
    channel: str,
) -> Awaitable[bool | Refusal]:
    """Make a user a member; false: they are one."""
    reply = redis.run_script(
        MEMBERS_ADD,
        (
            *(members, last_read, meta, quits, log, messages, staff, bans, audit),
            member_ids,
        ),
        (
            actor,
            user,
            role,
            uid,
            body,
            log_limit,
            log_age_ms,
            channel,
            redis.publish_command,
        ),
    )
    return Parsed(reply, _done)


def room_create(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    meta: str,
    log: str,
    messages: str,
    staff: str,
    quits: str,
    audit: str,
    blocks: str,
    member_ids: str,
    kept: Sequence[str],
    actor: str,
    kind: str,
    settings: bytes,
    others: bytes,
    uid: str,
    body: bytes,
    log_limit: int,
    log_age_ms: int,
    channel: str,
    quit_keep_seconds: int,
    made_as: str,
) -> Awaitable[bool | Refusal]:
    """Make a room; false: it was made before, by the same one."""
    reply = redis.run_script(
        ROOM_CREATE,
        (
            *(members, last_read, meta, log, messages, staff, quits, audit, blocks),
            *(member_ids,),
            *kept,
        ),
        (
            actor,
            kind,
            settings,
            others,
            uid,
            body,
            log_limit,
            log_age_ms,
            channel,
            redis.publish_command,
            quit_keep_seconds,
            made_as,
        ),
    )
    return Parsed(reply, _done)


def room_set(
    redis: ScriptRunner,
    *,
    members: str,
    meta: str,
    log: str,
    messages: str,
    audit: str,
    actor: str,
    settings: bytes,
    needs_owner: bool,
    uid: str,
    body: bytes,
    log_limit: int,
    log_age_ms: int,
    channel: str,
) -> Awaitable[bool | Refusal]:
    """Change settings of a room."""
    reply = redis.run_script(
        ROOM_SET,
        (members, meta, log, messages, audit),
        (
            actor,
            settings,
            int(needs_owner),
            uid,
            body,
            log_limit,
            log_age_ms,
            channel,
            redis.publish_command,
        ),
    )
    return Parsed(reply, _done)


def member_unban(
    redis: ScriptRunner,
    *,
    members: str,
    bans: str,
    audit: str,
    actor: str,
    user: str,
    body: bytes,
) -> Awaitable[bool | Refusal]:
    """Let a banned user come again; false: they were not banned."""
    reply = redis.run_script(MEMBER_UNBAN, (members, bans, audit), (actor, user, body))
    return Parsed(reply, _done)


def room_delete(
    redis: ScriptRunner,
    *,
    members: str,
    meta: str,
    log: str,
    messages: str,
    quits: str,
    staff: str,
    slow: str,
    reports: str,
    member_ids: str,
    ended: str,
    ending: Sequence[str],
    actor: str,
    uid: str,
    body: bytes,
    keep_seconds: int,
    channel: str,
    control: bytes,
    passed_on: bool,
    passed_on_seconds: int,
) -> Awaitable[bool | Refusal]:
    """End a room for all."""
    reply = redis.run_script(
        ROOM_DELETE,
        (
            *(members, meta, log, messages, quits, staff, slow, reports),
            *(member_ids, ended),
            *ending,
        ),
        (
            *(actor, uid, body, keep_seconds, channel, redis.publish_command, control),
            *(int(passed_on), passed_on_seconds),
        ),
    )
    return Parsed(reply, _done)
