"""What the tests of changes of messages share: a room of five, and the four acts."""

from typing import Any

import orjson
from redis.asyncio import Redis

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.message_changes import MessageChanges
from realtime.store.message_log import MessageLog

ROOM = "42"
ODD_USER = 'a"n\\n,"deleted":{'


async def let_in(rooms: Memberships, redis: Redis) -> None:
    """Make a room of three members, a moderator and an owner."""
    for user in ("ann", "bob", "mod", "own", ODD_USER):
        await rooms.admit(ROOM, user)
    await redis.hset(keys.members(ROOM), "mod", '{"role":"moderator"}')
    await redis.hset(keys.members(ROOM), "own", '{"role":"owner"}')


def make_changes(link: RedisClient, log: MessageLog, **options: Any) -> MessageChanges:
    """Return changes with the options given, and ample ones for the rest."""
    ample = {"edit_seconds": 3600, "announce_members": 100}
    return MessageChanges(link, log, **(ample | options))


async def edit(changes: MessageChanges, user: str, text: str, **options: Any) -> Any:
    """Edit message 1, unless told otherwise."""
    options = {"message": 1, "client_id": f"e-{text}", "mentions": None, **options}
    return await changes.edit(room=ROOM, user=user, text=text, **options)


async def delete(changes: MessageChanges, user: str, message: int = 1) -> Any:
    """Delete a message."""
    return await changes.delete(room=ROOM, user=user, message=message)


async def react(
    changes: MessageChanges, user: str, key: str, *, on: bool = True, message: int = 1
) -> Any:
    """React to a message."""
    return await changes.react(room=ROOM, user=user, message=message, key=key, on=on)


async def pin(changes: MessageChanges, user: str, message: int = 1) -> Any:
    """Pin a message."""
    return await changes.pin(room=ROOM, user=user, message=message, on=True)


async def state_of(log: MessageLog, number: int = 1) -> dict[str, Any]:
    """Return a message as the history shows it."""
    page = await log.history(room=ROOM, after=number - 1, limit=1)
    found: dict[str, Any] = orjson.loads(page.messages[0])
    return found
