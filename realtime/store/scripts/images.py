"""Files that messages show: who uses them, and when they are looked at."""

from collections.abc import Awaitable
from typing import NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

IMAGES_CLAIM = load("images_claim")
IMAGES_CONFIRM = load("images_confirm")
IMAGES_DROP = load("images_drop")
IMAGES_GONE = load("images_gone")
IMAGES_TAKE = load("images_take")


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
    return Parsed(reply, int)


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
    return Parsed(reply, bool)


def images_drop(
    redis: ScriptRunner, *, uses: str, user_bytes: str, use: str, value: bytes
) -> Awaitable[bool]:
    """Forget a use of a file; true: nothing shows it, and it is to be deleted."""
    reply = redis.run_script(IMAGES_DROP, (uses, user_bytes), (use, value))
    return Parsed(reply, bool)


def images_gone(
    redis: ScriptRunner, *, uses: str, due: str, name: str
) -> Awaitable[None]:
    """Forget a file that was deleted."""
    reply = redis.run_script(IMAGES_GONE, (uses, due), (name,))
    return Parsed(reply, lambda _nothing: None)


class TakenImages(NamedTuple):
    """Redis's time in Unix ms, and files that are due."""

    now_ms: int
    names: list[str]


def images_take(
    redis: ScriptRunner, *, due: str, count: int, taken_ms: int
) -> Awaitable[TakenImages]:
    """Take files that are due to be looked at; no other node does for a while."""
    reply = redis.run_script(IMAGES_TAKE, (due,), (count, taken_ms))
    return Parsed(
        reply,
        lambda said: TakenImages(said[0], [each.decode() for each in said[1]]),
    )
