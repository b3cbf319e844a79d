"""What endpoints of webhooks are to be told: their queues, and what was given up."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

HOOK_BURY = load("hook_bury")
HOOK_DONE = load("hook_done")
HOOK_DUE = load("hook_due")
HOOK_ENQUEUE = load("hook_enqueue")
HOOK_LATER = load("hook_later")
HOOK_OWN = load("hook_own")
HOOK_PAGE = load("hook_page")
HOOK_REPLAY = load("hook_replay")
HOOK_SET = load("hook_set")


class QueueEntry(NamedTuple):
    """An event in an endpoint's queue, and how often it was tried outside of its order.

    ``entry`` is its place in the queue, ``event_id`` what the endpoint knows it by.
    """

    entry: str
    event_id: str
    type: str
    room: str
    body: bytes
    tries: int = 0


def _entry(fields: Any) -> QueueEntry:
    entry, event_id, kind, room = (each.decode() for each in fields[:4])
    return QueueEntry(entry, event_id, kind, room, *fields[4:])


def hook_enqueue(
    redis: ScriptRunner,
    *,
    queue: str,
    dead: str,
    later: str,
    tries: str,
    state: str,
    event_id: str,
    type: str,  # noqa: A002 - as the header has it
    room: str,
    body: bytes,
    limit_bytes: int,
    keep_ms: int,
) -> Awaitable[int]:
    """Put an event into a queue; return how many were given up to make room."""
    reply = redis.run_script(
        HOOK_ENQUEUE,
        (queue, dead, later, tries, state),
        (event_id, type, room, body, limit_bytes, keep_ms),
    )
    return Parsed(reply, int)


class QueuePage(NamedTuple):
    """Entries in order, without those that are tried later.

    ``waiting`` is how many the queue has in all, ``last`` the last one looked at.
    """

    waiting: int
    last: str
    entries: list[QueueEntry]


def hook_page(
    redis: ScriptRunner,
    *,
    queue: str,
    later: str,
    after: str,
    limit: int,
    limit_bytes: int,
) -> Awaitable[QueuePage]:
    """Read a queue from an entry on; from its beginning where that is empty."""
    reply = redis.run_script(HOOK_PAGE, (queue, later), (after, limit, limit_bytes))
    return Parsed(
        reply,
        lambda said: QueuePage(said[0], said[1].decode(), [*map(_entry, said[2])]),
    )


def hook_due(
    redis: ScriptRunner,
    *,
    queue: str,
    later: str,
    tries: str,
    ahead_ms: int,
    limit: int,
) -> Awaitable[list[QueueEntry]]:
    """Read what is due to be tried again."""
    reply = redis.run_script(HOOK_DUE, (queue, later, tries), (ahead_ms, limit))
    return Parsed(reply, lambda said: [*map(_entry, said)])


def hook_done(
    redis: ScriptRunner,
    *,
    queue: str,
    later: str,
    tries: str,
    state: str,
    entry: str,
    bytes: int,  # noqa: A002 - as the header has it
) -> Awaitable[None]:
    """Take out of a queue what its endpoint has."""
    reply = redis.run_script(HOOK_DONE, (queue, later, tries, state), (entry, bytes))
    return Parsed(reply, lambda _said: None)


def hook_later(
    redis: ScriptRunner,
    *,
    queue: str,
    later: str,
    tries: str,
    entry: str,
    wait_ms: int,
    tried: int,
) -> Awaitable[None]:
    """Have an entry tried again later, beside the others."""
    reply = redis.run_script(HOOK_LATER, (queue, later, tries), (entry, wait_ms, tried))
    return Parsed(reply, lambda _said: None)


def hook_bury(
    redis: ScriptRunner,
    *,
    queue: str,
    dead: str,
    later: str,
    tries: str,
    state: str,
    entry: str,
    why: str,
    tried: int,
    limit_bytes: int,
    keep_ms: int,
) -> Awaitable[None]:
    """Give up on an entry."""
    reply = redis.run_script(
        HOOK_BURY,
        (queue, dead, later, tries, state),
        (entry, why, tried, limit_bytes, keep_ms),
    )
    return Parsed(reply, lambda _said: None)


def hook_replay(
    redis: ScriptRunner, *, queue: str, dead: str, state: str, entry: str
) -> Awaitable[bool]:
    """Put what was given up back into the queue; false: it is not there."""
    reply = redis.run_script(HOOK_REPLAY, (queue, dead, state), (entry,))
    return Parsed(reply, lambda said: said == 1)


def hook_own(
    redis: ScriptRunner, *, owner: str, node: str, lease_ms: int
) -> Awaitable[bool]:
    """Become, or stay, the one that delivers; with 0 ms it is given up."""
    reply = redis.run_script(HOOK_OWN, (owner,), (node, lease_ms))
    return Parsed(reply, lambda said: said == 1)


def hook_set(
    redis: ScriptRunner, *, hooks: str, hook_id: str, before: bytes, after: bytes
) -> Awaitable[bool]:
    """Change an endpoint; false: somebody else has done so meanwhile."""
    reply = redis.run_script(HOOK_SET, (hooks,), (hook_id, before, after))
    return Parsed(reply, lambda said: said == 1)
