"""Deletes images after the last message that shows them.

Nobody tells when a message goes: it is trimmed, deleted or edited, or its room ends. So
each file is looked at from time to time, seldom when it has lived long already.
"""

import asyncio
import logging
from typing import Final

from realtime.errors import ChatError
from realtime.images.store import ImageStore
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.image_uses import ImageUses, KnownUse

_logger = logging.getLogger(__name__)

# Files looked at in one go: a few hundred short calls of Redis.
TOGETHER: Final = 50

# For a node to finish with the files that it took; then others try.
TAKEN_MS: Final = 60_000

# Longest time between two looks at a file.
MOST_MS: Final = 24 * 3_600_000

# Longest time between two looks for files that are due.
TICK_SECONDS: Final = 60.0

# Messages of a room read at a time where the number of one is not known.
SCANNED: Final = 500


class ImageSweep:
    """Looks at files that are due, and deletes those that no message shows.

    All nodes may run one: what one has taken, others leave alone.

    Args:
        redis: The client that carries commands out.
        uses: What is known of the files.
        store: Where they are.
        every_seconds: Shortest time between two looks at a file.
    """

    def __init__(
        self,
        redis: RedisClient,
        uses: ImageUses,
        store: ImageStore,
        *,
        every_seconds: float,
    ) -> None:
        self._redis = redis
        self._uses = uses
        self._store = store
        self._every_ms = round(every_seconds * 1000)

    async def look(self) -> int:
        """Look at all files that are due; return how many were deleted.

        Raises:
            ChatError: Redis or the store is away; the rest is looked at later.
        """
        deleted = 0
        while True:
            now_ms, names = await self._uses.take(TOGETHER, taken_ms=TAKEN_MS)
            for name in names:
                deleted += await self.settle(name, now_ms)
            if len(names) < TOGETHER:
                return deleted

    async def settle(self, name: str, now_ms: int) -> bool:
        """Look at one file; return whether it was deleted.

        Raises:
            ChatError: Redis or the store is away; nothing is lost.
        """
        uses = await self._uses.of_file(name)
        gone = [each for each in uses if not await self._is_shown(name, each, now_ms)]
        if uses and not gone:
            age_ms = now_ms - max(each.claimed_ms for each in uses)
            wait_ms = max(self._every_ms, min(age_ms, MOST_MS))
            if not all(each.message for each in uses):
                wait_ms = min(wait_ms, self._uses.pending_ms)
            await self._uses.postpone(name, now_ms + wait_ms)
            return False
        if not await self._uses.drop(name, gone):
            await self._uses.postpone(name, now_ms + self._every_ms)
            return False
        await self._store.delete(name)
        await self._uses.forget(name)
        return True

    async def _is_shown(self, name: str, known: KnownUse, now_ms: int) -> bool:
        """Whether a message shows a file, or may yet."""
        messages = keys.messages(known.use.room)
        if known.message:
            found = await self._redis.call("HGET", messages, known.message)
            return found is not None and name.encode() in found
        if now_ms - known.claimed_ms < self._uses.pending_ms:
            return True
        mark = f'"clientId":"{known.use.client_id}"'.encode()
        number = await self._find(messages, name.encode(), mark)
        if number:
            await self._uses.confirm([name], known.use, number)
        return number > 0

    async def _find(self, messages: str, *marks: bytes) -> int:
        """Return the number of a message that holds all of this, 0 if there is none.

        For the few files whose node ended between the message and its confirmation.
        """
        cursor = b"0"
        while True:
            cursor, found = await self._redis.call(
                "HSCAN", messages, cursor, "COUNT", SCANNED
            )
            for number, message in zip(found[::2], found[1::2], strict=True):
                if all(mark in message for mark in marks):
                    return int(number)
            if cursor == b"0":
                return 0

    async def run(self) -> None:
        """Look at files that are due, until cancelled.

        Files that were taken then are looked at by another node, or later.
        """
        while True:
            await asyncio.sleep(min(self._every_ms / 1000, TICK_SECONDS))
            try:
                deleted = await self.look()
                await self._store.remove_parts(
                    older_seconds=self._uses.pending_ms / 1000
                )
            except ChatError as error:
                # They stay due.
                _logger.debug("Images were not looked at: %s", error.message)
            except Exception:
                _logger.exception("Images were not looked at")
            else:
                if deleted:
                    _logger.info("Deleted %d images that no message shows.", deleted)
