"""The queues of what endpoints are to be told, and what was given up."""

from collections.abc import Awaitable
from typing import Final, NamedTuple

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.scripts import QueueEntry, QueuePage

# What was given up can be had again for two weeks: long enough for somebody to notice.
DEAD_KEPT_MS: Final = 14 * 24 * 3_600_000

# Of what is read of a queue in one go.
PAGE_ENTRIES: Final = 200
PAGE_BYTES: Final = 1024 * 1024


class DeadLetter(NamedTuple):
    """What was given up: its place, what it was, why and after how many tries."""

    entry: str
    event_id: str
    type: str
    room: str
    why: str
    tries: int


class HookQueues:
    """Queues of endpoints, by their ids; what is done to them may be repeated.

    Args:
        redis: The client that carries commands out.
        limit_bytes: Of a queue, and of what of it was given up.
    """

    def __init__(self, redis: RedisClient, *, limit_bytes: int) -> None:
        self._redis = redis
        self._limit_bytes = limit_bytes

    @property
    def generation(self) -> int:
        """Changes when the connection is another one: Redis may be of the past."""
        return self._redis.generation

    async def is_deleted(self, room: str, message: int) -> bool:
        """Tell whether a message was deleted, so that its words are told no more."""
        found = await self._redis.call("ZSCORE", keys.deleted(room), message)
        return found is not None

    def enqueue(
        self, hook_id: str, *, event_id: str, kind: str, room: str, body: bytes
    ) -> Awaitable[int]:
        """Add an event; return how many were given up, for the queue is full."""
        names = keys.hook(hook_id)
        return scripts.hook_enqueue(
            self._redis,
            queue=names.queue,
            dead=names.dead,
            later=names.later,
            tries=names.tries,
            state=names.state,
            event_id=event_id,
            type=kind,
            room=room,
            body=body,
            limit_bytes=self._limit_bytes,
            keep_ms=DEAD_KEPT_MS,
        )

    def page(self, hook_id: str, after: str) -> Awaitable[QueuePage]:
        """Return what comes after an entry; after none: the beginning."""
        names = keys.hook(hook_id)
        return scripts.hook_page(
            self._redis,
            queue=names.queue,
            later=names.later,
            after=after,
            limit=PAGE_ENTRIES,
            limit_bytes=PAGE_BYTES,
        )

    def due(
        self, hook_id: str, *, ahead_ms: int, limit: int
    ) -> Awaitable[list[QueueEntry]]:
        """Return what is to be tried again, so soon from now."""
        names = keys.hook(hook_id)
        return scripts.hook_due(
            self._redis,
            queue=names.queue,
            later=names.later,
            tries=names.tries,
            ahead_ms=ahead_ms,
            limit=limit,
        )

    def done(self, hook_id: str, entry: QueueEntry) -> Awaitable[None]:
        """Take out what the endpoint has."""
        names = keys.hook(hook_id)
        return scripts.hook_done(
            self._redis,
            queue=names.queue,
            later=names.later,
            tries=names.tries,
            state=names.state,
            entry=entry.entry,
            bytes=len(entry.body),
        )

    def later(
        self, hook_id: str, entry: QueueEntry, *, wait_ms: int, tried: int
    ) -> Awaitable[None]:
        """Have it tried again after a while, beside the others."""
        names = keys.hook(hook_id)
        return scripts.hook_later(
            self._redis,
            queue=names.queue,
            later=names.later,
            tries=names.tries,
            entry=entry.entry,
            wait_ms=wait_ms,
            tried=tried,
        )

    def bury(
        self, hook_id: str, entry: QueueEntry, *, why: str, tried: int
    ) -> Awaitable[None]:
        """Give up on it."""
        names = keys.hook(hook_id)
        return scripts.hook_bury(
            self._redis,
            queue=names.queue,
            dead=names.dead,
            later=names.later,
            tries=names.tries,
            state=names.state,
            entry=entry.entry,
            why=why,
            tried=tried,
            limit_bytes=self._limit_bytes,
            keep_ms=DEAD_KEPT_MS,
        )

    def own(self, hook_id: str, node: str, *, lease_ms: int) -> Awaitable[bool]:
        """Become, or stay, the one that delivers; with 0 ms give that up."""
        owner = keys.hook(hook_id).owner
        return scripts.hook_own(self._redis, owner=owner, node=node, lease_ms=lease_ms)

    def replay(self, hook_id: str, entry: str) -> Awaitable[bool]:
        """Put back what was given up; false: it is not there."""
        names = keys.hook(hook_id)
        return scripts.hook_replay(
            self._redis,
            queue=names.queue,
            dead=names.dead,
            state=names.state,
            entry=entry,
        )

    async def dead(self, hook_id: str, *, after: str, limit: int) -> list[DeadLetter]:
        """Return what was given up after an entry, the oldest first."""
        start = f"({after}" if after else "-"
        found = await self._redis.call(
            "XRANGE", keys.hook(hook_id).dead, start, "+", "COUNT", limit
        )
        return [
            DeadLetter(
                entry.decode(),
                event_id=fields[1].decode(),
                type=fields[3].decode(),
                room=fields[5].decode(),
                why=fields[9].decode(),
                tries=int(fields[11]),
            )
            for entry, fields in found
        ]

    async def sizes(self, hook_id: str) -> tuple[int, int]:
        """Return how many wait, and how many were given up."""
        names = keys.hook(hook_id)
        waiting = await self._redis.call("XLEN", names.queue)
        return waiting, await self._redis.call("XLEN", names.dead)
