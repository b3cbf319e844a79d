"""Where the bytes of images are: a folder, or an object store that nodes share.

A file's name begins with the SHA-256 of its content. A folder's files are on the disk
before they are acknowledged, and looked at as a whole before they are first served; an
object store promises both by itself.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from realtime.errors import NotFoundError, UnavailableError
from realtime.images.folder import (
    free_bytes,
    is_whole,
    looks_of,
    make_durably,
    remove_parts,
    write_durably,
)

# Deadline of one answer of the store; a node's disk or a near S3 takes far less.
STORE_SECONDS: Final = 10.0

# Read at a time: what one slow reader of an image costs in memory.
CHUNK_BYTES: Final = 64 * 1024

# Threads that write and check files. Of their own: a disk that hangs holds them, and
# nothing else that waits for a thread.
THREADS: Final = 4

# Files that are remembered as checked: some 3 MB.
KNOWN_WHOLE: Final = 10_000

# When to try again if the disk is full, in milliseconds: that takes a person, or the
# next look for images that no message shows.
NO_SPACE_MS: Final = 60_000

# Between two looks at the space, beside those of each image.
LOOK_SECONDS: Final = 5.0

# Between two lines of the log on a store that fails; each image tries it.
FAILURES_SECONDS: Final = 10.0

P = ParamSpec("P")
T = TypeVar("T")
_logger = logging.getLogger(__name__)


class StoredFile(NamedTuple):
    """An image that is being read."""

    size: int
    chunks: AsyncIterator[bytes]


class ListedFile(NamedTuple):
    """A file of the store: its name, bytes, and Unix seconds of its last change."""

    name: str
    size: int
    changed: float


class ImageStore:
    """Files by name in an object store.

    Args:
        store: A store of the ``obstore`` library.
        folder: Where it is on this machine, if it is.
        least_free_bytes: Of the folder's disk: what is left to others.
    """

    def __init__(
        self, store: Any, folder: Path | None = None, *, least_free_bytes: int = 0
    ) -> None:
        self._store = store
        self._folder = folder
        self._least_free_bytes = least_free_bytes
        self._full = False
        self._tell_at = 0.0
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="images")
        # Name to what a file looked like when it was checked.
        self._whole: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    @classmethod
    def at(
        cls, url: str | None, *, folder: Path, least_free_bytes: int = 0
    ) -> "ImageStore":
        """Return the store at an address, or a folder on this machine.

        Args:
            url: ``file:///…``, ``s3://…``, ``gs://…`` or ``az://…``; None: the folder.
            folder: Made if it is missing and ``url`` is None.
            least_free_bytes: What a folder's disk keeps free.

        Raises:
            ValueError: There is no store for such an address.
            OSError: The folder cannot be made.
        """
        if (named := folder_of(url)) is not None:
            url, folder = None, named
        if url is None:
            folder = folder.resolve()
            make_durably(folder)
            store = LocalStore(folder)
            return cls(store, folder, least_free_bytes=least_free_bytes)
        try:
            return cls(from_url(url))
        except (BaseError, ValueError):
            # Without the library's words: they repeat the address with its secrets.
            raise ValueError(
                "There is no object store of images for this address; give file:///…,"
                " s3://…, gs://… or az://…."
            ) from None

    @property
    def is_full(self) -> bool:
        """Whether there was no space for images at the last look."""
        return self._full

    async def run(self) -> None:
        """Look at the space until cancelled, so that what is said of it is true."""
        while self._folder is not None:
            with suppress(UnavailableError):
                # That there is none, or that the folder cannot be asked, was logged.
                await self.require_space(0)
            await asyncio.sleep(LOOK_SECONDS)

    async def require_space(self, size: int) -> None:
        """Return if there is space for so many bytes.

        Raises:
            UnavailableError: There is not, or nobody knows.
        """
        if self._folder is None:
            return
        free = await self._in_thread("stored", free_bytes, self._folder)
        full = free - size < self._least_free_bytes
        if full != self._full:
            self._full = full
            say = _logger.error if full else _logger.warning
            say(
                "%s of %s: %d MiB are free, %d MiB stay so.",
                "No space for images on the disk" if full else "Space for images again",
                self._folder,
                free >> 20,
                self._least_free_bytes >> 20,
            )
        if full:
            raise UnavailableError(
                "There is no space for images now.",
                retry_after_ms=NO_SPACE_MS,
                limit="image_free_bytes",
            )

    async def put(self, name: str, data: bytes) -> None:
        """Store a file under the name of its content; return when it is safe.

        A reader sees the whole file or none. A damaged one is replaced.

        Raises:
            UnavailableError: The store did not take it, or has no space.
        """
        if self._folder is not None:
            await self.require_space(len(data))
            await self._in_thread(
                "stored", write_durably, self._folder, _path(name), data
            )
            return
        async with self._answering("stored"):
            if await self._size(name) != len(data):
                await obstore.put_async(self._store, _path(name), data)

    @asynccontextmanager
    async def read(self, name: str) -> AsyncIterator[StoredFile]:
        """Open a file for reading in chunks.

        Raises:
            NotFoundError: It is not there, or damaged.
            UnavailableError: The store did not answer, now or between two chunks.
        """
        if self._folder is not None and not await self._is_whole(self._folder, name):
            raise NotFoundError("There is no such image.")
        async with self._answering("read"):
            try:
                found = await obstore.get_async(self._store, _path(name))
            except FileNotFoundError:
                raise NotFoundError("There is no such image.") from None
        yield StoredFile(found.meta["size"], self._chunks(found))

    async def delete(self, name: str) -> None:
        """Delete a file, if it is there.

        Raises:
            UnavailableError: It may be there still.
        """
        self._whole.pop(name, None)
        async with self._answering("deleted"):
            try:
                await obstore.delete_async(self._store, _path(name))
            except FileNotFoundError:
                return

    async def listed(self) -> AsyncIterator[ListedFile]:
        """Return all files in no order, whatever wrote them.

        Raises:
            UnavailableError: The store did not answer.
        """
        batches = aiter(obstore.list(self._store))
        while True:
            async with self._answering("listed"):
                batch = await anext(batches, None)
            if batch is None:
                return
            for each in batch:
                name = each["path"].rpartition("/")[2]
                if each["path"] == _path(name):
                    changed = each["last_modified"].timestamp()
                    yield ListedFile(name, each["size"], changed)

    async def remove_parts(self, *, older_seconds: float) -> None:
        """Remove what writers that crashed have left in a folder.

        Raises:
            UnavailableError: The folder cannot be read.
        """
        if self._folder is not None:
            await self._in_thread(
                "deleted", remove_parts, self._folder, older_seconds=older_seconds
            )

    def close(self) -> None:
        """Let the threads go when what they are at is done."""
        self._threads.shutdown(wait=False)

    async def _size(self, name: str) -> int | None:
        try:
            found = await obstore.head_async(self._store, _path(name))
        except FileNotFoundError:
            return None
        return found["size"]

    async def _is_whole(self, folder: Path, name: str) -> bool:
        path = folder / _path(name)
        looks = await self._in_thread("read", looks_of, path)
        if looks is None:
            return False
        if self._whole.get(name) != looks:
            sha256 = name.partition(".")[0]
            if not await self._in_thread("read", is_whole, path, sha256):
                _logger.warning("The image %s is damaged.", name)
                return False
            self._whole[name] = looks
            if len(self._whole) > KNOWN_WHOLE:
                self._whole.popitem(last=False)
        return True

    async def _in_thread(
        self, done: str, call: Callable[P, T], *args: P.args, **options: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        async with self._answering(done):
            return await loop.run_in_executor(
                self._threads, lambda: call(*args, **options)
            )

    async def _chunks(self, found: Any) -> AsyncIterator[bytes]:
        stream = aiter(found.stream(min_chunk_size=CHUNK_BYTES))
        while True:
            async with self._answering("read"):
                chunk = await anext(stream, None)
            if chunk is None:
                return
            yield bytes(chunk)

    @asynccontextmanager
    async def _answering(self, done: str) -> AsyncIterator[None]:
        """Hold the store to its deadline, and say what it could not do."""
        try:
            async with asyncio.timeout(STORE_SECONDS):
                yield
        except (BaseError, OSError) as error:
            now = time.monotonic()
            if now >= self._tell_at:
                self._tell_at = now + FAILURES_SECONDS
                _logger.warning("Images cannot be %s: %s", done, type(error).__name__)
            raise UnavailableError(f"Images cannot be {done} now.") from error


def folder_of(url: str | None) -> Path | None:
    """Return the folder on this machine that an address names; None: it names none.

    Raises:
        ValueError: The path is not whole: ``file://images`` names a machine, and ``/``.
    """
    if url is None or not url.startswith("file:"):
        return None
    parts = urlsplit(url)
    folder = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not folder.is_absolute():
        raise ValueError("a folder has three slashes and its whole path: file:///srv/x")
    return folder


def _path(name: str) -> str:
    """Spread the files over 256 folders: some file systems are slow with one."""
    return f"{name[:2]}/{name}"
