"""What a room has of one user: messages, reactions, notes."""

from collections.abc import Awaitable
from typing import Any, NamedTuple
from urllib.parse import unquote

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

REACTION_WITHDRAW = load("reaction_withdraw")
USER_MESSAGES_READ = load("user_messages_read")
USER_NOTES_READ = load("user_notes_read")
USER_REACTIONS_READ = load("user_reactions_read")


class OwnMessages(NamedTuple):
    """Messages of a user; ``start`` is where to go on, 0: all was looked at."""

    start: int
    messages: list[bytes]


def user_messages_read(
    redis: ScriptRunner,
    *,
    messages: str,
    meta: str,
    reactions: str,
    user_json: bytes,
    start: int,
    limit: int,
) -> Awaitable[OwnMessages]:
    """Read the messages of a room that a user wrote, from a number on."""
    reply = redis.run_script(
        USER_MESSAGES_READ, (messages, meta, reactions), (user_json, start, limit)
    )
    return Parsed(reply, lambda said: OwnMessages(*said))


class OwnReactions(NamedTuple):
    """Reactions of a user, message and key; ``after`` is where to go on.

    It is empty where all was looked at.
    """

    after: str
    reactions: list[tuple[int, str]]


def _reactions(said: Any) -> OwnReactions:
    after, found = said
    pairs = zip(found[::2], found[1::2], strict=True)
    plain = [(number, unquote(key.decode())) for number, key in pairs]
    return OwnReactions(after.decode(), plain)


def user_reactions_read(
    redis: ScriptRunner, *, reactors: str, user: str, after: str, limit: int
) -> Awaitable[OwnReactions]:
    """Read the reactions of a user in a room, after one."""
    reply = redis.run_script(USER_REACTIONS_READ, (reactors,), (user, after, limit))
    return Parsed(reply, _reactions)


def reaction_withdraw(
    redis: ScriptRunner,
    *,
    reactions: str,
    reactors: str,
    user: str,
    message: int,
    key_json: bytes,
) -> Awaitable[bool]:
    """Take a reaction back; false: there was none."""
    reply = redis.run_script(
        REACTION_WITHDRAW, (reactions, reactors), (user, message, key_json)
    )
    return Parsed(reply, lambda said: said == 1)


class OwnNotes(NamedTuple):
    """Acts and reports that name a user, as they are stored."""

    acts: list[bytes]
    reports: list[bytes]


def user_notes_read(
    redis: ScriptRunner,
    *,
    audit: str,
    reports: str,
    invites: str,
    meta: str,
    blocks: str,
    user: str,
    user_json: bytes,
    erased: str,
) -> Awaitable[OwnNotes]:
    """Read what a room's notes say of a user; take it out, if told who they are."""
    reply = redis.run_script(
        USER_NOTES_READ,
        (audit, reports, invites, meta, blocks),
        (user, user_json, erased),
    )
    return Parsed(reply, lambda said: OwnNotes(*said))
