"""Lines of a terminal, a pipe or a file, without a thread."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Final

CHUNK_BYTES: Final = 65_536
# What is longer is cut; the server takes no text of this length anyway.
LINE_BYTES: Final = 65_536


async def read_lines(descriptor: int) -> AsyncIterator[bytes]:
    """Yield the lines without their ends, up to the end of input.

    The descriptor stays as it is: one that does not block would do the same to the
    terminal's output, which it shares.
    """
    rest = b""
    while chunk := await _read(descriptor):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:LINE_BYTES]
        for line in lines:
            yield line
    if rest:
        yield rest


async def _read(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        # A file, which is always ready.
        await asyncio.sleep(0)
    else:
        try:
            await ready.wait()
        finally:
            loop.remove_reader(descriptor)
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except OSError:
        # The terminal was hung up.
        return b""
