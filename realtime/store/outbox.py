"""The rooms' logs as an outbox: what was written and is not passed on yet.

Nothing is written twice for it, and no script that writes knows of it. A node notes a
room *before* it writes there, at most once in some seconds, with the time at which
somebody is to look at the room. What is written and confirmed before that time is found
by whoever looks, whatever became of the node. A node that lives looks much sooner.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Iterable
from typing import Final

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.scripts import OutboxPage, TakenRooms

# After a mark, the room is looked at; a node marks it anew when half of that is over. A
# write has ended, one way or the other, in the other half.
LOOK_MS: Final = 20_000
FRESH_SECONDS: Final = 10.0

# For a node to be done with a room that it claimed, or took; then others may.
CLAIM_MS: Final = 10_000

# Rooms whose marks are remembered, and those that wait to be passed on: some 2 MB each.
# More are marked again, or found when they are looked at.
KEPT_ROOMS: Final = 10_000

# Of one room and one reading: events, bytes of them, and reports.
PAGE_EVENTS: Final = 200
PAGE_BYTES: Final = 65_536
PAGE_REPORTS: Final = 20


class Outbox:
    """Notes which rooms are written to, and reads what is new there.

    Args:
        redis: The client that carries commands out.
        node: This node's id.

    Attributes:
        active: Whether anybody is to be told; else nothing is noted. True until it is
            known that nobody is.
        since: Unix ms; what is older is told to nobody.
    """

    def __init__(self, redis: RedisClient, *, node: str) -> None:
        self._redis = redis
        self._node = node
        self.active = True
        self.since = 0
        self._fresh_until: dict[str, float] = {}
        # Rooms that are being noted, and who waits for that besides.
        self._marking: dict[str, deque[asyncio.Future[None]]] = {}
        self._generation = 0
        self._written: set[str] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._fresh_until) + len(self._written)

    def is_marked(self, room: str) -> bool:
        """Tell whether a room is noted for as long as a write takes.

        False as well while somebody waits for that: nobody gets ahead of them.
        """
        return room not in self._marking and self._is_fresh(room)

    def _is_fresh(self, room: str) -> bool:
        return (
            time.monotonic() < self._fresh_until.get(room, 0.0)
            and self._redis.generation == self._generation
        )

    async def mark(self, room: str) -> None:
        """Note that a room is about to be written to; return when it is noted.

        Those who wait for it go on in the order in which they came, one in each turn
        of the loop, and whoever comes meanwhile after them.

        Raises:
            UnavailableError: It could not be noted, so nothing may be written.
        """
        if room in self._marking:
            await self._turn(room)
        else:
            self._marking[room] = deque()
        try:
            if not self._is_fresh(room):
                await self._note(room)
        except Exception as error:
            # All of them, now: each would wait as long for the same answer.
            for other in self._marking[room]:
                if not other.done():
                    other.set_exception(UnavailableError(str(error)))
            self._marking[room].clear()
            raise
        finally:
            self._let_next(room)

    async def _turn(self, room: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._marking[room].append(place)
        try:
            await place
        except asyncio.CancelledError:
            # Cancelled in the turn that was its own: it is the next one's.
            if not place.cancelled() and not place.exception():
                self._let_next(room)
            raise

    def _let_next(self, room: str) -> None:
        """Let the next one go on who waits until a room is noted."""
        line = self._marking[room]
        while line:
            place = line.popleft()
            if not place.done():
                place.set_result(None)
                return
        del self._marking[room]

    async def _note(self, room: str) -> None:
        if self._redis.generation != self._generation:
            # Another Redis, perhaps, that lost its last seconds, and marks with them.
            self._generation = self._redis.generation
            self._fresh_until.clear()
        began = time.monotonic()
        try:
            await scripts.outbox_mark(
                self._redis, outbox=keys.OUTBOX, room=room, look_ms=LOOK_MS
            )
        except OutcomeUnknownError as error:
            raise UnavailableError(error.message, limit=error.limit) from error
        if len(self._fresh_until) >= KEPT_ROOMS:
            self._fresh_until.clear()
        self._fresh_until[room] = began + FRESH_SECONDS

    def wrote(self, *rooms: str) -> None:
        """Take note that there is something new in rooms."""
        if len(self._written) < KEPT_ROOMS:
            self._written.update(rooms)
            self._wake.set()

    async def written(self, limit: int) -> list[str]:
        """Return rooms in which there is something new, when there are any."""
        await self._wake.wait()
        rooms = [self._written.pop() for _ in range(min(limit, len(self._written)))]
        if not self._written:
            self._wake.clear()
        return rooms

    def take(self, limit: int) -> Awaitable[TakenRooms]:
        """Take rooms at which somebody is to look now; who takes them does."""
        return scripts.outbox_take(
            self._redis, outbox=keys.OUTBOX, limit=limit, taken_ms=CLAIM_MS
        )

    def clear(self, rooms: Iterable[str], score: str) -> list[Awaitable[bool]]:
        """Forget rooms that were taken, and in which nothing is left."""
        return [
            scripts.outbox_clear(
                self._redis, outbox=keys.OUTBOX, room=room, score=score
            )
            for room in rooms
        ]

    def read(self, room: str) -> Awaitable[OutboxPage | None]:
        """Claim a room and read what is new there; None: another node has it.

        That one looks again before it gives the room back.
        """
        return scripts.outbox_read(
            self._redis,
            log=keys.log(room),
            ended=keys.ended(room),
            meta=keys.meta(room),
            messages=keys.messages(room),
            deleted=keys.deleted(room),
            reports=keys.reports(room),
            node=self._node,
            claim_ms=CLAIM_MS,
            since=self.since,
            limit=PAGE_EVENTS,
            limit_bytes=PAGE_BYTES,
            reports_limit=PAGE_REPORTS,
        )

    def confirm(self, room: str, page: OutboxPage) -> Awaitable[bool]:
        """Note that a page was passed on; return whether there is more by now."""
        return scripts.outbox_confirm(
            self._redis,
            log=keys.log(room),
            ended=keys.ended(room),
            meta=keys.meta(room),
            reports=keys.reports(room),
            node=self._node,
            offset=page.upto,
            report=page.last_report,
        )
