"""What members tell a room's moderators, what these did, and who blocks whom."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

DIRECT_BLOCK = load("direct_block")
REPORT_ADD = load("report_add")
ROOM_NOTES_READ = load("room_notes_read")
USER_BLOCK = load("user_block")
USER_REPORTS_TAKE = load("user_reports_take")


def direct_block(
    redis: ScriptRunner, *, blocks: str, meta: str, user: str, on: bool
) -> Awaitable[bool]:
    """Keep the two of a direct room from writing; return whether they are kept now."""
    reply = redis.run_script(DIRECT_BLOCK, (blocks, meta), (user, int(on)))
    return Parsed(reply, bool)


def user_block(
    redis: ScriptRunner, *, user_blocks: str, blocked: str, on: bool, limit: int
) -> Awaitable[bool]:
    """Put a user on a list of blocked ones, or take them off; false: it is full."""
    reply = redis.run_script(USER_BLOCK, (user_blocks,), (blocked, int(on), limit))
    return Parsed(reply, bool)


def user_reports_take(
    redis: ScriptRunner, *, user_reports: str, limit: int, seconds: int
) -> Awaitable[int]:
    """Count a report; return milliseconds to wait if it is one too many, else 0."""
    reply = redis.run_script(USER_REPORTS_TAKE, (user_reports,), (limit, seconds))
    return Parsed(reply, int)


def report_add(
    redis: ScriptRunner,
    *,
    members: str,
    messages: str,
    reports: str,
    user: str,
    message: int,
    body: bytes,
    limit: int,
    keep_seconds: int,
) -> Awaitable[Refusal | None]:
    """Keep a report, with the message as it is now; None: it is kept."""
    reply = redis.run_script(
        REPORT_ADD,
        (members, messages, reports),
        (user, message, body, limit, keep_seconds),
    )
    return Parsed(reply, lambda said: refusal(said) if said[0] < 0 else None)


class Note(NamedTuple):
    """One that is kept for moderators: its place in time, and what it says, JSON.

    ``is_before``: it is about a message that they may not see.
    """

    id: str
    said: bytes
    is_before: bool


def _notes(said: Any) -> list[Note] | Refusal:
    if said[0] < 0:
        return refusal(said)
    return [Note(each.decode(), note, before == 1) for each, note, before in said[1]]


def room_notes_read(
    redis: ScriptRunner, *, members: str, notes: str, user: str, before: str, limit: int
) -> Awaitable[list[Note] | Refusal]:
    """Read what is kept for a room's moderators, the newest first."""
    reply = redis.run_script(ROOM_NOTES_READ, (members, notes), (user, before, limit))
    return Parsed(reply, _notes)
