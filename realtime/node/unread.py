"""A deadline for reading answers: a client that does not take them is cut off.

aiohttp writes an answer and waits for ever until it is taken, even while the server
stops.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

# Between two looks at a connection.
LOOK_SECONDS: Final = 1.0

# Time in which a client takes not one byte of what waits for it.
STALL_SECONDS: Final = 30.0

# Time in which something waits for a client all along: an image of 8 MiB takes that
# long at 28 KB/s, a poor mobile connection.
ANSWER_SECONDS: Final = 300.0

# Bytes that wait for clients that nobody knows, all together. Above it who has taken
# nothing for the longest time is cut off.
STRANGERS_BYTES: Final = 16_777_216

# Connections looked at in one turn of the event loop: 0.3 ms.
SLICE: Final = 1_000

# Time to take the last answers when the server stops.
LAST_SECONDS: Final = 1.0

# Between two looks then.
LAST_LOOK_SECONDS: Final = 0.05


class UnreadWatch:
    """Watches what waits to be taken by the clients of HTTP connections.

    Args:
        cut_off: Called for each connection that is given up.
    """

    def __init__(self, cut_off: Callable[[], None]) -> None:
        self._cut_off = cut_off
        self._transports: set[asyncio.Transport] = set()
        # What waits: bytes, since when so many, since when any.
        self._waiting: dict[asyncio.Transport, tuple[int, float, float]] = {}
        self._known: set[asyncio.Transport] = set()
        self._stopping = asyncio.Event()

    def __len__(self) -> int:
        return len(self._transports)

    def add(self, transport: asyncio.Transport) -> None:
        """Watch a connection."""
        self._transports.add(transport)

    def discard(self, transport: asyncio.Transport) -> None:
        """Watch a connection no more: it has ended, or is a WebSocket now."""
        self._transports.discard(transport)
        self._known.discard(transport)
        self._waiting.pop(transport, None)

    def note_known(self, transport: asyncio.Transport) -> None:
        """Count a connection among strangers' no more: a user's session bounds it."""
        if transport in self._transports:
            self._known.add(transport)

    def hurry(self) -> None:
        """Give clients :data:`LAST_SECONDS` from now on: the server stops."""
        self._waiting.clear()
        self._stopping.set()

    async def run(self) -> None:
        """Look at the connections until cancelled."""
        while True:
            if self._stopping.is_set():
                await asyncio.sleep(LAST_LOOK_SECONDS)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._stopping.wait()
            seen = list(self._transports)
            for start in range(0, len(seen), SLICE):
                now = asyncio.get_running_loop().time()
                for transport in seen[start : start + SLICE]:
                    self.look(transport, now)
                await asyncio.sleep(0)
            self.cut_off_strangers()

    def cut_off_strangers(self) -> None:
        """Cut off those who read least, if all strangers together read too little."""
        waiting = {
            transport: (stalled_at, size)
            for transport, (size, stalled_at, _) in self._waiting.items()
            if transport not in self._known
        }
        total = sum(size for _, size in waiting.values())
        if total <= STRANGERS_BYTES:
            return
        for transport in sorted(waiting, key=lambda each: waiting[each][0]):
            total -= waiting[transport][1]
            self._cut_off()
            transport.abort()
            if total <= STRANGERS_BYTES:
                return

    def look(self, transport: asyncio.Transport, now: float) -> None:
        """Look at one connection, and cut it off if its client has had its time."""
        if transport not in self._transports:
            return
        size = transport.get_write_buffer_size()
        if not size:
            self._waiting.pop(transport, None)
            return
        before, stalled_at, began_at = self._waiting.get(transport, (-1, now, now))
        if size != before:
            stalled_at = now
        self._waiting[transport] = (size, stalled_at, began_at)
        at_most = LAST_SECONDS if self._stopping.is_set() else ANSWER_SECONDS
        if now - stalled_at >= STALL_SECONDS or now - began_at >= at_most:
            self._cut_off()
            transport.abort()
