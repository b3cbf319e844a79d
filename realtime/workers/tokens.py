"""Places for processes that decode images, of all workers of a machine together.

They are bytes in a pipe: who reads one has a place and writes it back at the end. What
a worker that died had taken, the supervisor writes back.
"""

import asyncio
import os
from contextlib import suppress
from typing import Final

from realtime.images.places import DECODERS
from realtime.workers.table import Row

PLACE: Final = b"."


def make_pipe() -> tuple[int, int]:
    """Return a pipe with the places of a machine: where to read, where to write."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.write(write, PLACE * DECODERS)
    return read, write


class SharedPlaces:
    """A worker's way to the places.

    Args:
        pipe: As :func:`make_pipe` returned it.
        row: Where to say how many this worker has.
    """

    def __init__(self, pipe: tuple[int, int], row: Row) -> None:
        self._read, self._write = pipe
        self._row = row
        self._waiting: list[asyncio.Future[None]] = []
        self._is_closed = False

    async def take(self) -> bool:
        """Return when a place is taken; False: nobody here takes one any more."""
        while not self._is_closed:
            with suppress(BlockingIOError):
                os.read(self._read, len(PLACE))
                self._row.decoders += 1
                return True
            await self._readable()
        return False

    def give(self) -> None:
        """Give a place back."""
        self._row.decoders -= 1
        os.write(self._write, PLACE)

    def close(self) -> None:
        """Have all that wait be told that there is none."""
        self._is_closed = True
        self._wake()

    async def _readable(self) -> None:
        """Return when there may be a place: another one may be faster."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting.append(waiting)
        loop.add_reader(self._read, self._wake)
        try:
            await waiting
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            if not self._waiting:
                loop.remove_reader(self._read)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        asyncio.get_running_loop().remove_reader(self._read)
        for each in waiting:
            if not each.done():
                each.set_result(None)
