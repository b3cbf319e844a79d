"""How many are here, for rooms too large to announce everybody."""

import asyncio
import logging

import orjson

from realtime.errors import ChatError
from realtime.redis.client import RedisLink
from realtime.store import keys, scripts
from realtime.tasks import end_task

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS = 1.0
"""Least time between two counts of a room from one node: a fan-out to thousands for
each one who comes would cost more than the messages."""


class PresenceCounts:
    """Announces counts of large rooms, at most one a second, the last one always.

    Args:
        link: The commands' connection.
        publish_command: ``PUBLISH``, or ``SPUBLISH`` with Redis Cluster.
    """

    def __init__(self, link: RedisLink, *, publish_command: str = "PUBLISH") -> None:
        self._link = link
        self._publish_command = publish_command
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to announce, in a task that :meth:`aclose` ends."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="presence-counts")

    async def aclose(self) -> None:
        """Stop; what was not announced yet another node's next change will tell."""
        await end_task(self._running)
        self._running = None

    def __len__(self) -> int:
        return len(self._changed)

    def changed(self, room: str) -> None:
        """Have a room's count announced soon."""
        self._changed.add(room)
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            rooms, self._changed = self._changed, set()
            try:
                while rooms:
                    await self._announce(rooms.pop())
            except ChatError as error:
                # Redis is away: what is true then is told when it is back.
                log.warning("Counts were not announced: %s", error.message)
            for room in rooms:
                self.changed(room)
            await asyncio.sleep(ANNOUNCE_SECONDS)

    async def _announce(self, room: str) -> None:
        """Announce a room's count, which is asked for and published in one step.

        So the last one that is published is the last one that was true, over all nodes.
        """
        head = orjson.dumps({"room": room})[:-1]
        try:
            await self._link.run(
                scripts.PRESENCE_COUNT,
                (keys.online(room),),
                (
                    keys.channel(room),
                    self._publish_command,
                    b'["presence",' + head + b',"onlineCount":',
                    b"}]",
                ),
            )
        except ChatError:
            self.changed(room)
            raise
        except Exception:
            log.exception("The count of room %s cannot be announced", room)
