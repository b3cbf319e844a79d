"""Puts what happens in rooms into the queues of the endpoints that want it.

The position of a room moves on when its events are in all queues, not when they are
delivered: an endpoint that is down holds up neither the room's log nor other endpoints.
A node that ends in between leaves the position where it was, and another node passes
the same events on again, under the same ids.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from realtime.errors import ChatError
from realtime.redis.connection import ReplyError
from realtime.store.hook_queues import HookQueues
from realtime.store.outbox import CLAIM_MS, Outbox
from realtime.store.scripts import OutboxPage
from realtime.tasks import gather_started
from realtime.webhooks import told_events
from realtime.webhooks.numbers import WebhookNumbers
from realtime.webhooks.push import PushWatch
from realtime.webhooks.registry import Registry
from realtime.webhooks.told_events import ToldEvent

# Rooms that are read together: 13 MB at the worst.
ROOMS: Final = 100

# Between two readings: events of a busy room are read together.
PAUSE_SECONDS: Final = 0.01

# Between two looks at rooms whose node has not passed all on.
LOOK_SECONDS: Final = 1.0

# After Redis was away.
RETRY_SECONDS: Final = 0.5

_logger = logging.getLogger(__name__)


class _Moved(NamedTuple):
    """What became of rooms: nothing was new, more is, or all was passed on just now."""

    done: list[str]
    more: list[str]
    passed: list[str]


class Follower:
    """Follows rooms that this node writes to, and those that others left behind.

    Args:
        outbox: Knows which rooms have something new.
        registry: Knows who is to be told.
        queues: Where it is put.
        pushes: Notes messages that absent members may have to be told of.
        numbers: What is counted.
        enqueued: Called with an endpoint that has something in its queue.
    """

    def __init__(
        self,
        outbox: Outbox,
        registry: Registry,
        queues: HookQueues,
        pushes: PushWatch,
        numbers: WebhookNumbers,
        enqueued: Callable[[str], None],
    ) -> None:
        self._outbox = outbox
        self._registry = registry
        self._queues = queues
        self._pushes = pushes
        self._numbers = numbers
        self._enqueued = enqueued
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Follow until cancelled."""
        # Before, what is read would be passed on to nobody.
        await self._registry.known.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow(), name="webhooks-follow")
            tasks.create_task(self._look(), name="webhooks-look")

    async def _follow(self) -> None:
        while True:
            rooms = await self._outbox.written(ROOMS)
            if await self._pass_on(rooms):
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                self._outbox.wrote(*rooms)
                await asyncio.sleep(RETRY_SECONDS)

    async def _look(self) -> None:
        """Look at rooms of nodes that ended, and of those that were too busy."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self._outbox.active:
                continue
            try:
                await self._look_once()
            except ChatError as error:
                _logger.debug("Rooms could not be looked at: %s", error.message)
            except ReplyError:
                # A key of this name that something else has written.
                _logger.exception("Rooms cannot be looked at")

    async def _look_once(self) -> None:
        while True:
            taken = await self._outbox.take(ROOMS)
            if not taken.rooms:
                return
            try:
                async with asyncio.timeout(CLAIM_MS / 1000):
                    done = await self._drain(taken.rooms)
            except (TimeoutError, ReplyError) as error:
                why = str(error) or "too slow"
                # They are looked at again when the time of this look is over.
                _logger.warning("Rooms were not passed on: %s", why)
                return
            await gather_started(*self._outbox.clear(done, taken.score))

    async def _drain(self, rooms: Sequence[str]) -> list[str]:
        """Pass on all there is in rooms; return those that no other node has."""
        done: list[str] = []
        left = list(rooms)
        while left:
            moved = await self._advance(left)
            done += moved.done
            left = [*moved.more, *moved.passed]
        return done

    async def _pass_on(self, rooms: Sequence[str]) -> bool:
        """Pass on a page of each room; false: Redis is away."""
        try:
            moved = await self._advance(rooms)
        except ChatError as error:
            _logger.debug("Rooms were not passed on: %s", error.message)
            return False
        except ReplyError:
            if len(rooms) > 1:
                # What is wrong with one must not hold up the others.
                return all([await self._pass_on([room]) for room in rooms])
            _logger.exception("Room %s cannot be passed on", rooms[0])
            return True
        self._outbox.wrote(*moved.more)
        return True

    async def _advance(self, rooms: Sequence[str]) -> _Moved:
        """Pass on a page of each room that no other node has."""
        # One at a time: a claim does not keep this node from itself.
        async with self._turn:
            pages = await gather_started(*(self._outbox.read(room) for room in rooms))
            new: dict[str, OutboxPage] = {}
            moved = _Moved([], [], [])
            for room, page in zip(rooms, pages, strict=True):
                if page is None:
                    continue
                if page.events or page.reports:
                    new[room] = page
                else:
                    moved.done.append(room)
            await self._enqueue(new)
            left = await gather_started(
                *(self._outbox.confirm(room, page) for room, page in new.items())
            )
            for room, is_more in zip(new, left, strict=True):
                (moved.more if is_more else moved.passed).append(room)
            return moved

    async def _enqueue(self, pages: dict[str, OutboxPage]) -> None:
        """Put pages into the queues."""
        calls: list[Awaitable[int]] = []
        notes: list[Awaitable[None]] = []
        for room, page in pages.items():
            if page.lost:
                self._numbers.outcomes["lost"] += page.lost
                _logger.error(
                    "Room %s: %d events were trimmed before they were passed on",
                    room,
                    page.lost,
                )
            for told in told_of(room, page):
                calls += self.tell(room, told)
                if told.type == "message.created":
                    notes += self._pushes.note(room, told.body)
        self._numbers.outcomes["overflow"] += sum(await gather_started(*calls))
        await gather_started(*notes)

    def tell(self, room: str, told: ToldEvent) -> list[Awaitable[int]]:
        """Begin to put an event into the queues of those who want it."""
        calls = []
        for endpoint in self._registry.listening.values():
            if told.at < endpoint.created_at or not endpoint.wants(told.type, room):
                continue
            calls.append(
                self._queues.enqueue(
                    endpoint.id,
                    event_id=told_events.event_id(endpoint.id, room, told.key),
                    kind=told.type,
                    room=room,
                    body=told.body,
                )
            )
            self._numbers.outcomes["queued"] += 1
            self._enqueued(endpoint.id)
        return calls


def told_of(room: str, page: OutboxPage) -> list[ToldEvent]:
    """Return what is told of a page of a room, in its order."""
    found = [told for each in page.events if (told := told_events.of_log(each))]
    return found + [told_events.of_report(room, each) for each in page.reports]
