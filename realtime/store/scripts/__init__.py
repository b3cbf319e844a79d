"""The Lua scripts: what must be one atomic step in Redis, and nothing else.

Each has one function here, of its file's name, whose parameters are its ``KEYS`` and
``ARGV`` in their order, by the names of its header, and which returns what the header
says by name. The command is sent when the function is called, awaited or not; all raise
:class:`~realtime.errors.UnavailableError` (nothing was done),
:class:`~realtime.errors.OutcomeUnknownError` (it may have been done) and
:class:`~realtime.redis.connection.ReplyError` (a key holds something else).
"""

from collections.abc import Awaitable, Callable, Generator
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

from realtime.redis.script import Script, ScriptRunner
from realtime.store.position import Position

_Result = TypeVar("_Result")


def _load(name: str) -> Script:
    source = (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")
    return Script(name, source)


IMAGES_CLAIM = _load("images_claim")
IMAGES_CONFIRM = _load("images_confirm")
IMAGES_DROP = _load("images_drop")
IMAGES_GONE = _load("images_gone")
IMAGES_TAKE = _load("images_take")
LEASES_RENEW = _load("leases_renew")
MEMBERSHIP_ADMIT = _load("membership_admit")
MEMBERSHIP_CLAIM = _load("membership_claim")
MEMBERSHIP_QUIT = _load("membership_quit")
MESSAGE_LOG_APPEND = _load("message_log_append")
MESSAGE_LOG_MEND = _load("message_log_mend")
MESSAGE_LOG_READ = _load("message_log_read")
MESSAGE_LOG_REPEATED = _load("message_log_repeated")
PRESENCE_COUNT = _load("presence_count")
PRESENCE_ENTER = _load("presence_enter")
PRESENCE_LEAVE = _load("presence_leave")
READ_MARKS_RAISE = _load("read_marks_raise")
ROOM_SNAPSHOT_READ = _load("room_snapshot_read")
USER_RATES_REPORT = _load("user_rates_report")

ALL = tuple(each for each in globals().values() if isinstance(each, Script))


class _Parsed(Awaitable[_Result]):
    """A reply on its way; no coroutine, for whoever is cancelled may not await it."""

    __slots__ = ("_parse", "_reply")

    def __init__(self, reply: Awaitable[Any], parse: Callable[[Any], _Result]) -> None:
        self._reply = reply
        self._parse = parse

    def __await__(self) -> Generator[Any, Any, _Result]:
        return self._parse((yield from self._reply.__await__()))


def images_claim(
    redis: ScriptRunner,
    *,
    uses: str,
    user_bytes: str,
    due: str,
    use: str,
    user: str,
    limit_bytes: int,
    pending_ms: int,
    name: str,
    size: int,
) -> Awaitable[int]:
    """Note that a message is about to show a file.

    Returns:
        1; 0 if it would be too much for the user; -1 if the file is being deleted.
    """
    reply = redis.run_script(
        IMAGES_CLAIM,
        (uses, user_bytes, due),
        (use, user, limit_bytes, pending_ms, name, size),
    )
    return _Parsed(reply, int)


def images_confirm(
    redis: ScriptRunner,
    *,
    uses: str,
    due: str,
    use: str,
    message: int,
    look_ms: int,
    name: str,
) -> Awaitable[bool]:
    """Note the number of the message that shows a file; false: nobody claimed it."""
    reply = redis.run_script(IMAGES_CONFIRM, (uses, due), (use, message, look_ms, name))
    return _Parsed(reply, bool)


def images_drop(
    redis: ScriptRunner, *, uses: str, user_bytes: str, use: str, value: bytes
) -> Awaitable[bool]:
    """Forget a use of a file; true: nothing shows it, and it is to be deleted."""
    reply = redis.run_script(IMAGES_DROP, (uses, user_bytes), (use, value))
    return _Parsed(reply, bool)


def images_gone(
    redis: ScriptRunner, *, uses: str, due: str, name: str
) -> Awaitable[None]:
    """Forget a file that was deleted."""
    reply = redis.run_script(IMAGES_GONE, (uses, due), (name,))
    return _Parsed(reply, lambda _nothing: None)


class TakenImages(NamedTuple):
    """Redis's time in Unix ms, and files that are due."""

    now_ms: int
    names: list[str]


def images_take(
    redis: ScriptRunner, *, due: str, count: int, taken_ms: int
) -> Awaitable[TakenImages]:
    """Take files that are due to be looked at; no other node does for a while."""
    reply = redis.run_script(IMAGES_TAKE, (due,), (count, taken_ms))
    return _Parsed(
        reply,
        lambda said: TakenImages(said[0], [each.decode() for each in said[1]]),
    )


class Lease(NamedTuple):
    """Whether a life's lease is held, and lives of nodes that are to be swept."""

    held: bool
    dead: list[str]


def leases_renew(
    redis: ScriptRunner,
    *,
    nodes: str,
    node: str,
    lease_ms: int,
    begins: bool,
    former: str,
) -> Awaitable[Lease]:
    """Renew the lease of a node's life, or begin one; list a few that are dead."""
    reply = redis.run_script(
        LEASES_RENEW, (nodes,), (node, lease_ms, int(begins), former)
    )
    return _Parsed(
        reply, lambda said: Lease(said[0] == 1, [each.decode() for each in said[1]])
    )


class Admission(NamedTuple):
    """A member as they enter a room; ``new``: they became one by this."""

    new: bool
    last_message: int
    last_read_message: int


def membership_admit(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    meta: str,
    quits: str,
    log: str,
    messages: str,
    user: str,
    role: str,
    returning: bool,
    keep_seconds: int,
) -> Awaitable[Admission | None]:
    """Make a user a member, if not one yet; None: they come back and had quit."""
    reply = redis.run_script(
        MEMBERSHIP_ADMIT,
        (members, last_read, meta, quits, log, messages),
        (user, role, int(returning), keep_seconds),
    )
    return _Parsed(
        reply, lambda said: None if said[0] < 0 else Admission(said[0] == 1, *said[1:])
    )


class Claim(NamedTuple):
    """Whether a room is on a user's list; if not, 0 ms to wait say that it is full."""

    listed: bool
    wait_ms: int


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
    return _Parsed(reply, lambda said: Claim(said[0] == 1, said[1]))


def membership_quit(
    redis: ScriptRunner,
    *,
    members: str,
    last_read: str,
    quits: str,
    meta: str,
    log: str,
    messages: str,
    sessions: str,
    online: str,
    user: str,
    keep_seconds: int,
    channel: str,
    control: bytes,
    empty_seconds: int,
) -> Awaitable[bool]:
    """End a membership and tell all nodes; false if the user was no member."""
    reply = redis.run_script(
        MEMBERSHIP_QUIT,
        (members, last_read, quits, meta, log, messages, sessions, online),
        (user, keep_seconds, channel, redis.publish_command, control, empty_seconds),
    )
    return _Parsed(reply, bool)


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
    sent: str,
    channel: str,
    user: str,
    uid: str,
    body: bytes,
    remember_seconds: int,
    log_limit: int,
    log_age_ms: int,
    history_limit: int,
) -> Appended | None:
    """Store a message and publish it; None: the user is no member.

    Without a number it was not stored: the log is to be mended before.

    The only one that is sent when it is awaited, one call less for each message.
    """
    reply = await redis.run_script(
        MESSAGE_LOG_APPEND,
        (log, messages, meta, last_read, members, sent),
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
        ),
    )
    if reply[0] < 0:
        return None if reply[0] == -1 else Appended(0, 0, "", 0, False)
    duplicate, message, offset, stored_uid, at = reply
    return Appended(message, offset, stored_uid.decode(), at, duplicate == 1)


def message_log_mend(
    redis: ScriptRunner, *, log: str, messages: str, meta: str
) -> Awaitable[Position]:
    """Make a meta hash that was lost anew; return the log's top."""
    reply = redis.run_script(MESSAGE_LOG_MEND, (log, messages, meta), ())
    return _Parsed(reply, lambda said: Position(said[0], said[1].decode()))


def message_log_repeated(
    redis: ScriptRunner, *, sent: str
) -> Awaitable[Appended | None]:
    """Return what became of a send before; None: there was none."""
    reply = redis.run_script(MESSAGE_LOG_REPEATED, (sent,), ())
    return _Parsed(
        reply,
        lambda said: (
            Appended(said[0], said[1], said[2].decode(), said[3], duplicate=True)
            if said
            else None
        ),
    )


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
    offset: int,
    uid: str,
    upto: int | str,
    limit: int,
    limit_bytes: int,
) -> Awaitable[LogPage]:
    """Read the events after a position, if the log proves it."""
    reply = redis.run_script(
        MESSAGE_LOG_READ, (log, meta), (offset, uid, upto, limit, limit_bytes)
    )
    return _Parsed(
        reply,
        lambda said: LogPage(
            said[0] == 1, Position(said[1], said[2].decode()), said[3]
        ),
    )


def presence_count(
    redis: ScriptRunner, *, online: str, channel: str, head: bytes, tail: bytes
) -> Awaitable[int]:
    """Announce how many users are online in a room, and return it."""
    reply = redis.run_script(
        PRESENCE_COUNT, (online,), (channel, redis.publish_command, head, tail)
    )
    return _Parsed(reply, int)


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
    return _Parsed(reply, _presence_change)


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
    return _Parsed(reply, _presence_change)


class Marks(NamedTuple):
    """How far a user has read a room, and its last message."""

    last_read_message: int
    last_message: int


def read_marks_raise(
    redis: ScriptRunner,
    *,
    last_read: str,
    meta: str,
    members: str,
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
        (last_read, meta, members),
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
    return _Parsed(reply, lambda said: None if said[0] < 0 else Marks(*said))


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
    return _Parsed(reply, _snapshot)


class Wait(NamedTuple):
    """Milliseconds until a user may take more, and until they may take all."""

    more_ms: int
    all_ms: int


def user_rates_report(
    redis: ScriptRunner, *, rate: str, taken_ms: int, burst_ms: int
) -> Awaitable[Wait]:
    """Add what a user took; return how long they have to wait."""
    reply = redis.run_script(USER_RATES_REPORT, (rate,), (taken_ms, burst_ms))
    return _Parsed(reply, lambda said: Wait(*said))
