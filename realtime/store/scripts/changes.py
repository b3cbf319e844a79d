"""What happens to a message after it was sent: edited, deleted, reacted to, pinned."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal
from realtime.store.scripts.message_log import Appended

MESSAGE_DELETE = load("message_delete")
MESSAGE_EDIT = load("message_edit")
MESSAGE_PIN = load("message_pin")
MESSAGE_REACT = load("message_react")
REACTIONS_TELL = load("reactions_tell")


def _changed(said: Any) -> Appended | Refusal:
    if said[0] < 0:
        return refusal(said)
    duplicate, message, offset, uid, at = said
    return Appended(message, offset, uid.decode(), at, duplicate == 1)


def message_edit(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    members: str,
    sent: str,
    mentions: str,
    channel: str,
    user: str,
    uid: str,
    message: int,
    rev: int,
    state: bytes,
    words: bytes,
    remember_seconds: int,
    log_limit: int,
    log_age_ms: int,
    edit_ms: int,
    edits_limit: int,
    fingerprint: str,
) -> Awaitable[Appended | Refusal]:
    """Give a message new words, if it is as it was read."""
    reply = redis.run_script(
        MESSAGE_EDIT,
        (log, messages, meta, members, sent, mentions),
        (
            channel,
            redis.publish_command,
            user,
            uid,
            message,
            rev,
            state,
            words,
            remember_seconds,
            log_limit,
            log_age_ms,
            edit_ms,
            edits_limit,
            fingerprint,
        ),
    )
    return Parsed(reply, _changed)


def message_delete(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    members: str,
    deleted: str,
    reactions: str,
    reactors: str,
    pins: str,
    mentions: str,
    mentions_all: str,
    audit: str,
    media: str,
    channel: str,
    user: str,
    uid: str,
    message: int,
    by: bytes,
    log_limit: int,
    log_age_ms: int,
    deleted_limit: int,
    by_member: bytes,
) -> Awaitable[Appended | Refusal]:
    """Delete a message; a duplicate was deleted before, and has offset 0."""
    reply = redis.run_script(
        MESSAGE_DELETE,
        (
            *(log, messages, meta, members, deleted, reactions, reactors, pins),
            *(mentions, mentions_all, audit, media),
        ),
        (
            channel,
            redis.publish_command,
            user,
            uid,
            message,
            by,
            log_limit,
            log_age_ms,
            deleted_limit,
            by_member,
        ),
    )
    return Parsed(reply, _changed)


class Reacted(NamedTuple):
    """What became of a reaction, and how many have the same now."""

    told: bool
    changed: bool
    reacted: int


def _reacted(said: Any) -> Reacted | Refusal:
    if said[0] < 0:
        return refusal(said)
    return Reacted(said[0] == 1, said[1] == 1, said[2])


def message_react(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    members: str,
    reactions: str,
    reactors: str,
    channel: str,
    user: str,
    uid: str,
    message: int,
    user_json: bytes,
    key_json: bytes,
    on: bool,
    log_limit: int,
    log_age_ms: int,
    announce_members: int,
    each_ms: int,
    burst_ms: int,
    keys_limit: int,
    own_limit: int,
) -> Awaitable[Reacted | Refusal]:
    """Set a reaction or take it back."""
    reply = redis.run_script(
        MESSAGE_REACT,
        (log, messages, meta, members, reactions, reactors),
        (
            channel,
            redis.publish_command,
            user,
            uid,
            message,
            user_json,
            key_json,
            int(on),
            log_limit,
            log_age_ms,
            announce_members,
            each_ms,
            burst_ms,
            keys_limit,
            own_limit,
        ),
    )
    return Parsed(reply, _reacted)


def message_pin(
    redis: ScriptRunner,
    *,
    log: str,
    messages: str,
    meta: str,
    members: str,
    pins: str,
    channel: str,
    user: str,
    uid: str,
    message: int,
    user_json: bytes,
    on: bool,
    log_limit: int,
    log_age_ms: int,
    pins_limit: int,
) -> Awaitable[Appended | Refusal]:
    """Pin a message or take its pin off; a duplicate was so, and has offset 0."""
    reply = redis.run_script(
        MESSAGE_PIN,
        (log, messages, meta, members, pins),
        (
            channel,
            redis.publish_command,
            user,
            uid,
            message,
            user_json,
            int(on),
            log_limit,
            log_age_ms,
            pins_limit,
        ),
    )
    return Parsed(reply, _changed)


def reactions_tell(
    redis: ScriptRunner,
    *,
    reactions: str,
    channel: str,
    message: int,
    head: bytes,
    tail: bytes,
) -> Awaitable[bool]:
    """Tell a large room of a message's reactions."""
    reply = redis.run_script(
        REACTIONS_TELL,
        (reactions,),
        (channel, redis.publish_command, message, head, tail),
    )
    return Parsed(reply, bool)
