"""``chatroom key``: make, list and revoke the API keys of a deployment."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from realtime.auth.api_keys import new_key
from realtime.errors import StartError
from realtime.node.opened_redis import opened_redis
from realtime.node.settings import Settings
from realtime.store.api_keys import ApiKeys

Say = Callable[[str], None]


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[ApiKeys]:
    """Reach the keys.

    Raises:
        StartError: Redis cannot be reached.
    """
    async with opened_redis(settings, "the keys cannot be reached") as (redis, _):
        yield ApiKeys(redis)


async def create(
    settings: Settings,
    *,
    name: str,
    scopes: Sequence[str],
    rooms: str,
    rotate: bool,
    say: Say,
) -> None:
    """Make a key and say it: this once.

    Args:
        settings: Of the nodes.
        name: Whose it is.
        scopes: What it may do.
        rooms: The rooms that it is for.
        rotate: There may be one of this name, with which it shares the sender.
        say: Is told the key.

    Raises:
        StartError: The name cannot be one, or is taken, or Redis cannot be reached.
    """
    try:
        key, text = new_key(name, scopes=scopes, rooms=rooms, now=int(time.time()))
    except ValueError as error:
        raise StartError(str(error)) from None
    async with _opened(settings) as keys:
        if not rotate and any(each.name == name for each in await keys.all()):
            raise StartError(
                f"there is a key {name}; with --rotate a second one takes its place"
                " beside it, from the same sender, until you revoke the first"
            )
        await keys.add(key)
    say(text)


async def show(settings: Settings, *, say: Say) -> None:
    """Say all keys, a line each: id, name, scopes, rooms, when it was made.

    Raises:
        StartError: Redis cannot be reached.
    """
    async with _opened(settings) as keys:
        found = await keys.all()
    for key in found:
        made = datetime.fromtimestamp(key.created_at, UTC).date()
        scopes = ",".join(sorted(key.scopes))
        say(f"{key.id}  {key.name}  {scopes}  {key.rooms}  {made}")


async def revoke(settings: Settings, *, key_id: str, say: Say) -> None:
    """Revoke a key; all nodes refuse it from now on.

    Raises:
        StartError: There is no such key, or Redis cannot be reached.
    """
    async with _opened(settings) as keys:
        was_there = await keys.revoke(key_id)
    if not was_there:
        raise StartError(f"there is no key {key_id}; `chatroom key list` has all")
    say(f"Revoked {key_id}.")
