"""The order of one session's messages in a room, while one among them is looked at.

Texts go to Redis in the step in which they arrive, and so in their order. An image is
decoded and stored first, and the application may be asked about a message; what was
sent after it waits, or a caption would come before its picture.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

# The longest that a message waits for those before it: an image takes a tenth of a
# second, the application up to 1.5 s, and a store that hangs must not cost what follows
# its answer within 5 s.
AHEAD_SECONDS: Final = 2.0

# ChatSession id and room: rooms do not wait for one another.
Key = tuple[str, str]


class _Place:
    """A message's place in its queue.

    Attributes:
        has_gone: Whether it has gone on, or was given up.
        is_passed: Done when it and all ahead of it have gone.
    """

    __slots__ = ("has_gone", "is_passed")

    def __init__(self) -> None:
        self.has_gone = False
        self.is_passed = asyncio.get_running_loop().create_future()


class SendOrder:
    """Queues of messages behind others that are looked at; as a rule there are none."""

    def __init__(self) -> None:
        # Each begins with a message that has not gone on.
        self._queues: dict[Key, deque[_Place]] = {}
        self._once: dict[Key, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def __contains__(self, key: Key) -> bool:
        """Return whether messages wait, so that the next one has to as well."""
        return key in self._queues

    @asynccontextmanager
    async def place(self, key: Key) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Take the last place; it is given up, also by a failure, at the block's end.

        Yields:
            What to await inside before going on: it returns when those ahead have gone
            on, or after :data:`AHEAD_SECONDS`. Whoever leaves the block goes on in the
            same step.
        """
        until = asyncio.get_running_loop().time() + AHEAD_SECONDS
        queue = self._queues.setdefault(key, deque())
        ahead = queue[-1] if queue else None
        own = _Place()
        queue.append(own)

        async def turn() -> None:
            if ahead is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(until):
                        await asyncio.wait({ahead.is_passed})

        try:
            yield turn
        finally:
            own.has_gone = True
            # One that was refused must not let the next one past those ahead of it.
            while queue and queue[0].has_gone:
                queue.popleft().is_passed.set_result(None)
            if not queue:
                del self._queues[key]

    async def once(self, key: Key, work: Callable[[], Awaitable[None]]) -> None:
        """Do what messages need that Redis refused, once for all of them.

        Those that were under way together are refused one after the other; they go on
        in that order, before what was sent later.

        Raises:
            Exception: What the work raises, for the first of them.
        """
        under_way = self._once.get(key)
        if under_way is not None:
            await asyncio.wait({under_way})
            return
        done = self._once[key] = asyncio.get_running_loop().create_future()
        async with self.place(key) as turn:
            try:
                await work()
                await turn()
            finally:
                # Before the place is given up, for those who took theirs after it.
                del self._once[key]
                done.set_result(None)
