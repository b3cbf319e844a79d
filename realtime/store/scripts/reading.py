"""How far a room's members have read, and who is there."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

MEMBERS_PAGE = load("members_page")
READ_MARKS_RAISE = load("read_marks_raise")
READS_COUNT = load("reads_count")
ROOM_MEDIA_READ = load("room_media_read")
ROOM_SNAPSHOT_READ = load("room_snapshot_read")
ROOM_SUMMARY_READ = load("room_summary_read")


class Listed(NamedTuple):
    """A member: id, record (JSON), and whether they are online in the room."""

    user: str
    record: bytes
    online: bool


def _listed(said: Any) -> list[Listed]:
    return [Listed(user.decode(), record, here == 1) for user, record, here in said]


def members_page(
    redis: ScriptRunner,
    *,
    members: str,
    member_ids: str,
    online: str,
    after: str,
    limit: int,
) -> Awaitable[list[Listed]]:
    """Return members with ids above one, ascending by their bytes."""
    reply = redis.run_script(
        MEMBERS_PAGE, (members, member_ids, online), (after, limit)
    )
    return Parsed(reply, _listed)


class Marks(NamedTuple):
    """How far a user has read a room, and what is left."""

    last_read_message: int
    unread: int


def read_marks_raise(
    redis: ScriptRunner,
    *,
    last_read: str,
    meta: str,
    members: str,
    deleted: str,
    mentions: str,
    channel: str,
    user: str,
    message: int,
    announce_members: int,
    head: bytes,
    tail: bytes,
    own_head: bytes,
    own_tail: bytes,
) -> Awaitable[Marks | None]:
    """Raise a user's mark and announce it; None: the user is no member."""
    reply = redis.run_script(
        READ_MARKS_RAISE,
        (last_read, meta, members, deleted, mentions),
        (
            channel,
            redis.publish_command,
            user,
            message,
            announce_members,
            head,
            tail,
            own_head,
            own_tail,
        ),
    )
    return Parsed(reply, lambda said: None if said[0] < 0 else Marks(*said))


def reads_count(
    redis: ScriptRunner, *, last_read: str, meta: str, numbers: str
) -> Awaitable[list[int]]:
    """Count who has not read each message."""
    reply = redis.run_script(READS_COUNT, (last_read, meta), (numbers,))
    return Parsed(reply, list)


class Snapshot(NamedTuple):
    """Who is in a room; ``marks`` and ``users`` are None in one too large to list."""

    member_count: int
    online_count: int
    marks: dict[str, int] | None
    users: list[str] | None


def _snapshot(said: Any) -> Snapshot:
    members, online, lists_marks, marks, lists_users, users = said
    pairs = zip(marks[::2], marks[1::2], strict=True)
    return Snapshot(
        members,
        online,
        {user.decode(): int(mark) for user, mark in pairs} if lists_marks else None,
        [user.decode() for user in users] if lists_users else None,
    )


def room_snapshot_read(
    redis: ScriptRunner, *, last_read: str, online: str, members: str, limit: int
) -> Awaitable[Snapshot]:
    """Read who is here and how far each member has read."""
    reply = redis.run_script(ROOM_SNAPSHOT_READ, (last_read, online, members), (limit,))
    return Parsed(reply, _snapshot)


class Summary(NamedTuple):
    """A line of a user's room list; ``name``, ``newest``, ``kind`` may be empty."""

    last_message: int
    last_read_message: int
    unread: int
    name: bytes
    newest: bytes
    kind: bytes
    role: bytes
    unread_mentions: int


def room_summary_read(
    redis: ScriptRunner,
    *,
    last_read: str,
    meta: str,
    messages: str,
    members: str,
    deleted: str,
    reactions: str,
    mentions: str,
    mentions_all: str,
    user: str,
) -> Awaitable[Summary | None]:
    """Read a line of a user's room list; None: they are no member."""
    reply = redis.run_script(
        ROOM_SUMMARY_READ,
        (
            *(last_read, meta, messages, members),
            *(deleted, reactions, mentions, mentions_all),
        ),
        (user,),
    )
    return Parsed(reply, lambda said: Summary(*said) if said else None)


class Media(NamedTuple):
    """Messages with images, newest first, and whether there are older ones.

    ``is_unfinished``: not all is looked through yet; to be called again.
    """

    messages: list[bytes]
    more: bool
    is_unfinished: bool


def _media(said: Any) -> Media | Refusal:
    if said[0] < 0:
        return refusal(said)
    return Media(said[2], said[0] == 1, said[1] == 1)


def room_media_read(
    redis: ScriptRunner,
    *,
    messages: str,
    meta: str,
    members: str,
    reactions: str,
    media: str,
    user: str,
    before: int | str,
    limit: int,
    step: int,
) -> Awaitable[Media | Refusal]:
    """Read a page of the messages that show images, as a user may see them."""
    reply = redis.run_script(
        ROOM_MEDIA_READ,
        (messages, meta, members, reactions, media),
        (user, before, limit, step),
    )
    return Parsed(reply, _media)
