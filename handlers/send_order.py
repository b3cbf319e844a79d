"""The order of one session's messages in a room, while an image among them is checked.

Texts go to Redis in the step in which they arrive, and so in their order. An image is
decoded and stored first; what was sent after it waits, or a caption would come before
its picture.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

AHEAD_SECONDS: Final = 2.0
"""The longest that a message waits for those before it: an image takes a tenth of a
second, and a store that hangs must not cost what follows its answer within 5 s."""

Key = tuple[str, str]
"""Session id and room: rooms do not wait for one another."""


class SendOrder:
    """Queues of messages behind images; there is none for whoever sends texts only."""

    def __init__(self) -> None:
        # The last message of each queue, done when it has gone on.
        self._last: dict[Key, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._last)

    def __contains__(self, key: Key) -> bool:
        """Return whether messages wait, so that the next one has to as well."""
        return key in self._last

    @asynccontextmanager
    async def place(self, key: Key) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Take the last place; it is given up, also by a failure, at the block's end.

        Yields:
            What to await inside before going on: it returns when those ahead have gone
            on, or after :data:`AHEAD_SECONDS`. Whoever leaves the block goes on in the
            same step.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + AHEAD_SECONDS
        ahead = self._last.get(key)
        own = self._last[key] = loop.create_future()

        async def turn() -> None:
            if ahead is not None:
                await asyncio.wait({ahead}, timeout=max(0.0, until - loop.time()))

        try:
            yield turn
        finally:
            own.set_result(None)
            if self._last.get(key) is own:
                del self._last[key]
