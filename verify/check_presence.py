"""Check of presence: who is listed as here at the end is here, and nobody else."""

from collections import Counter
from typing import Any

import orjson
from redis.asyncio import Redis

from realtime.store import keys


async def presence_error(redis: Redis, room: str, here: Counter[str]) -> str:
    """Say how a room's lists differ from who is here; empty if they do not.

    Args:
        redis: Where the lists are.
        room: Room id.
        here: Sessions that attend the room, by user.
    """
    sessions: Any = await redis.hvals(keys.sessions(room))
    listed = Counter(str(orjson.loads(each)["user"]) for each in sessions)
    if listed != here:
        return f"the session list has {_difference(listed, here)}"
    counts: Any = await redis.hgetall(keys.online(room))
    online = Counter({user.decode(): int(count) for user, count in counts.items()})
    if online != here:
        return f"the users online have {_difference(online, here)}"
    return ""


def _difference(listed: Counter[str], here: Counter[str]) -> str:
    too_many = ", ".join(f"{user} ({n})" for user, n in sorted((listed - here).items()))
    too_few = ", ".join(f"{user} ({n})" for user, n in sorted((here - listed).items()))
    return f"too much: {too_many or 'nobody'}; too little: {too_few or 'nobody'}"
