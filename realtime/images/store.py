"""Where the bytes of images are: a folder, or an object store that nodes share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from realtime.errors import NotFoundError, UnavailableError

STORE_SECONDS: Final = 10.0
"""Deadline of one answer of the store; a node's disk or a near S3 takes far less."""

CHUNK_BYTES: Final = 64 * 1024
"""Read at a time: what one slow reader of an image costs in memory."""


class StoredFile(NamedTuple):
    """An image that is being read."""

    size: int
    chunks: AsyncIterator[bytes]


class ImageStore:
    """Files by name in an object store.

    Args:
        store: A store of the ``obstore`` library.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str | None, *, folder: Path) -> "ImageStore":
        """Return the store at an address, or a folder on this machine.

        Args:
            url: ``file:///…``, ``s3://…``, ``gs://…`` or ``az://…``; None: the folder.
            folder: Made if it is missing and ``url`` is None.

        Raises:
            ValueError: There is no store for such an address.
            OSError: The folder cannot be made.
        """
        if url is None:
            return cls(LocalStore(folder.resolve(), mkdir=True))
        try:
            options = {"mkdir": True} if url.startswith("file:") else {}
            return cls(from_url(url, **options))  # type: ignore[call-overload]
        except BaseError:
            # Without the library's words: they repeat the address with its secrets.
            raise ValueError(
                "There is no object store of images for this address."
            ) from None

    async def put(self, name: str, data: bytes) -> None:
        """Store a file under the name of its content, unless it is there.

        A reader sees the whole file or none.

        Raises:
            UnavailableError: The store did not take it.
        """
        try:
            async with asyncio.timeout(STORE_SECONDS):
                if not await self._has(name):
                    await obstore.put_async(self._store, _path(name), data)
        except (BaseError, OSError) as error:
            raise UnavailableError("Images cannot be stored now.") from error

    @asynccontextmanager
    async def read(self, name: str) -> AsyncIterator[StoredFile]:
        """Open a file for reading in chunks.

        Raises:
            NotFoundError: It is not there.
            UnavailableError: The store did not answer, now or between two chunks.
        """
        try:
            async with asyncio.timeout(STORE_SECONDS):
                found = await obstore.get_async(self._store, _path(name))
        except FileNotFoundError:
            raise NotFoundError("There is no such image.") from None
        except (BaseError, OSError) as error:
            raise UnavailableError("Images cannot be read now.") from error
        yield StoredFile(found.meta["size"], _chunks(found))

    async def _has(self, name: str) -> bool:
        try:
            await obstore.head_async(self._store, _path(name))
        except FileNotFoundError:
            return False
        return True


async def _chunks(found: Any) -> AsyncIterator[bytes]:
    stream = aiter(found.stream(min_chunk_size=CHUNK_BYTES))
    while True:
        try:
            async with asyncio.timeout(STORE_SECONDS):
                chunk = await anext(stream)
        except StopAsyncIteration:
            return
        except (BaseError, OSError) as error:
            raise UnavailableError("Images cannot be read now.") from error
        yield bytes(chunk)


def _path(name: str) -> str:
    """Spread the files over 256 folders: some file systems are slow with one."""
    return f"{name[:2]}/{name}"
