"""An image that comes as ``multipart/form-data``, read in pieces."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import BodyPartReader, web

from handlers.api.payload import BROKEN, invalid
from realtime.errors import UnavailableError
from realtime.images.service import Images

# Images that come in at a time at a node: each holds its bytes in memory.
AT_ONCE: Final = 8

# Seconds for an image to arrive: 8 MiB at 280 KB/s.
UPLOAD_SECONDS: Final = 30.0

# When to try again if as many come in, in milliseconds.
BUSY_RETRY_MS: Final = 1_000

# The name of the part.
PART: Final = "image"


class ImageReader:
    """Reads uploaded images, each bounded in bytes and time.

    Args:
        images: Knows how large one may be.
    """

    def __init__(self, images: Images) -> None:
        self._images = images
        self.under_way = 0

    async def read(self, request: web.Request) -> bytes:
        """Return the bytes of the part ``image``.

        Raises:
            InvalidError: There is no such part, or it did not arrive in time.
            TooLargeError: It is too long.
            UnavailableError: Too many come in at once.
        """
        if not request.content_type.startswith("multipart/"):
            raise invalid("Content-Type", "Must be multipart/form-data.")
        with self._place():
            try:
                async with asyncio.timeout(UPLOAD_SECONDS):
                    return await self._part(request)
            except TimeoutError:
                raise invalid(PART, "Did not arrive in time.") from None
            except (ValueError, AssertionError, *BROKEN):
                # aiohttp has no error of its own for what is no multipart body.
                raise invalid("body", "Must be multipart/form-data.") from None

    async def _part(self, request: web.Request) -> bytes:
        part = await (await request.multipart()).next()
        if not isinstance(part, BodyPartReader) or part.name != PART:
            raise invalid(PART, "Must be the first part.")
        data = bytearray()
        while chunk := await part.read_chunk():
            data += chunk
            if len(data) > self._images.limit_bytes:
                raise self._images.too_large()
        return bytes(data)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self.under_way >= AT_ONCE:
            raise UnavailableError(
                "Too many images at once; try again.",
                retry_after_ms=BUSY_RETRY_MS,
                limit="uploads",
            )
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
