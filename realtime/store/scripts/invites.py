"""Invite links of rooms."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

INVITE_CREATE = load("invite_create")
INVITE_REVOKE = load("invite_revoke")
INVITES_READ = load("invites_read")


def invite_create(
    redis: ScriptRunner,
    *,
    members: str,
    meta: str,
    invites: str,
    audit: str,
    user: str,
    token: str,
    keep_ms: int,
    uses: int,
    limit: int,
    body: bytes,
) -> Awaitable[int | Refusal]:
    """Make an invite link; return when it ends, in Unix ms."""
    reply = redis.run_script(
        INVITE_CREATE,
        (members, meta, invites, audit),
        (user, token, keep_ms, uses, limit, body),
    )
    return Parsed(reply, _second)


def invite_revoke(
    redis: ScriptRunner,
    *,
    members: str,
    invites: str,
    audit: str,
    user: str,
    token: str,
    body: bytes,
) -> Awaitable[Refusal | None]:
    """End an invite link; None: there is none of this token now."""
    reply = redis.run_script(
        INVITE_REVOKE, (members, invites, audit), (user, token, body)
    )
    return Parsed(reply, lambda said: refusal(said) if said[0] < 0 else None)


class Invite(NamedTuple):
    """An invite link; times in Unix ms, ``uses_left`` is -1 for any number."""

    token: str
    ends_at: int
    uses_left: int
    at: int
    by: str


def invites_read(
    redis: ScriptRunner, *, members: str, invites: str, user: str
) -> Awaitable[list[Invite] | Refusal]:
    """Read a room's invite links, those of others for moderators only."""
    reply = redis.run_script(INVITES_READ, (members, invites), (user,))
    return Parsed(reply, _invites)


def _second(said: Any) -> int | Refusal:
    if said[0] < 0:
        return refusal(said)
    ends_at: int = said[1]
    return ends_at


def _invites(said: Any) -> list[Invite] | Refusal:
    if said[0] < 0:
        return refusal(said)
    return [
        Invite(token.decode(), ends_at, left, at, by.decode())
        for token, ends_at, left, at, by in said[1]
    ]
