"""What the server holds at the end: read from Redis, or by ``history``."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
from aiohttp import TCPConnector
from redis.asyncio import Redis

from realtime.store import keys
from verify.client.connection import Connection
from verify.history import FinalLog, LogEntry, event_members

# Events read from Redis at once.
PAGE_EVENTS = 1000

# Messages a page of ``history``: the most that the server gives.
PAGE_MESSAGES = 100

# Deadline of a whole history; a run of an hour has some hundred pages a room.
READ_SECONDS = 300.0

# Deadline of one page; nothing is at fault any more.
REQUEST_SECONDS = 10.0


async def read_log(redis: Redis, room: str) -> FinalLog:
    """Return a room as Redis holds it.

    Raises:
        ValueError: The log holds something that is no event.
    """
    entries: list[LogEntry] = []
    start = "-"
    while True:
        # redis-py types its answers for all of its options together.
        page: Any = await redis.xrange(keys.log(room), min=start, count=PAGE_EVENTS)
        events = [orjson.loads(fields[b"event"]) for _, fields in page]
        entries += [LogEntry(**event_members(*each)) for each in events]
        if len(page) < PAGE_EVENTS:
            break
        start = f"({page[-1][0].decode()}"
    marks: Any = await redis.zrange(keys.last_read(room), 0, -1, withscores=True)
    reads = {user.decode(): int(mark) for user, mark in marks}
    return FinalLog(room, entries, reads=reads)


async def read_history(
    url: str,
    auth: Mapping[str, object],
    room: str,
    *,
    connector: Callable[[], TCPConnector] | None = None,
) -> FinalLog:
    """Return a room as a member reads it: messages only.

    Raises:
        LostError, TimeoutError: The node does not serve.
        ValueError: It refuses.
    """
    connection = Connection(connector=connector)
    messages: list[dict[str, Any]] = []
    asked: dict[str, object] = {"room": room, "limit": PAGE_MESSAGES}
    page: dict[str, Any] = {"more": True}
    ask = partial(connection.request, seconds=REQUEST_SECONDS)
    try:
        await connection.open(url, auth, ["websocket"])
        joined = await ask("join", {"room": room})
        async with asyncio.timeout(READ_SECONDS):
            while page["more"]:
                page = await ask("history", asked)
                if page.get("ok"):
                    messages[:0] = page["messages"]
                    asked["before"] = messages[0]["message"] if messages else 0
                elif page["error"]["code"] == "rate_limited":
                    # Put off by the node's limits: others read as well.
                    await asyncio.sleep(page["error"]["retryAfter"] / 1000)
                    page["more"] = True
                else:
                    raise ValueError(f"history of {room}: {page}")
    finally:
        await connection.close()
    return FinalLog(
        room,
        [LogEntry(**event_members("message", each)) for each in messages],
        messages_only=True,
        first_kept=page["firstAvailable"],
        reads=joined.get("reads") or {},
        pins=joined["pins"],
        title=joined["name"],
    )


async def presence_error(redis: Redis, room: str, here: Counter[str]) -> str:
    """Say how a room's lists differ from who is here; empty if they do not.

    Args:
        redis: Where the lists are.
        room: Room id.
        here: Sessions that attend the room, by user.
    """
    sessions: Any = await redis.hvals(keys.sessions(room))
    counts: Any = await redis.hgetall(keys.online(room))
    lists = {
        "sessions": Counter(str(orjson.loads(each)["user"]) for each in sessions),
        "users online": Counter({user.decode(): int(n) for user, n in counts.items()}),
    }
    for name, listed in lists.items():
        if listed != here:
            return f"the {name} are {dict(listed)}, but here are {dict(here)}"
    return ""
