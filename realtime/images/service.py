"""Images: taken from clients, stored under their hash, shown by signed addresses."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from realtime.errors import TooLargeError, UnavailableError
from realtime.images.decode import EXTENSIONS, Decoded, Limits
from realtime.images.decoder_pool import ImageDecoders
from realtime.images.places import DecoderPlaces
from realtime.images.signed_urls import ImageLinks
from realtime.images.store import ImageStore, StoredFile

# Messages whose images are checked and stored, or wait to be; further ones are refused
# for now, since each holds a packet in memory.
WAITING: Final = 16

# Those of one user: one sender of huge pictures leaves places for the others.
OWN_WAITING: Final = 4

# Deadline of waiting and decoding an image; the largest one allowed takes up to five.
DECODE_SECONDS: Final = 20.0

# When to try again if too many images are waiting, in milliseconds.
BUSY_MS: Final = 1_000


class File(NamedTuple):
    """A picture that may be stored: its name, ``<sha256>.<extension>``, and sizes."""

    name: str
    width: int
    height: int


class Upload(NamedTuple):
    """An image that was checked, and the files that are to be stored for it."""

    image: File
    mime: str
    animated: bool
    thumbhash: str
    thumbnails: list[File]
    sizes: dict[str, int]
    """Bytes of each file by its name."""
    files: dict[str, bytes]
    """What is to be stored; empty if it was."""


class Image(NamedTuple):
    """An image that is being read, and the seconds its address is still valid."""

    file: StoredFile
    valid_seconds: int


class Images:
    """Takes, describes and returns images.

    Args:
        store: Where the bytes are.
        links: Makes and checks addresses.
        limits: Of an image.
        places: For processes that decode, where nodes of a machine share them.

    Attributes:
        limit_bytes: Of an image's file.
    """

    def __init__(
        self,
        store: ImageStore,
        links: ImageLinks,
        limits: Limits,
        *,
        places: DecoderPlaces | None = None,
    ) -> None:
        self._store = store
        self._links = links
        self.limit_bytes = limits.file_bytes
        self._decoders = ImageDecoders(limits, places=places)
        self._waiting: Counter[str] = Counter()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def slots_taken(self) -> int:
        """Messages whose images are checked and stored, or wait to be."""
        return self._waiting.total()

    @property
    def store(self) -> ImageStore:
        """Where the bytes are."""
        return self._store

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Take a place for the images of a message, until they are stored.

        Args:
            owner: Whose message it is; each has :data:`OWN_WAITING` places.

        Raises:
            UnavailableError: Too many at once.
        """
        if self._waiting.total() >= WAITING or self._waiting[owner] >= OWN_WAITING:
            raise UnavailableError(
                "Too many images at once; try again.",
                retry_after_ms=BUSY_MS,
                limit="images_waiting",
            )
        self._waiting[owner] += 1
        try:
            yield
        finally:
            self._waiting[owner] -= 1
            # Also drops users without a waiting image.
            self._waiting = +self._waiting

    def require_size(self, data: bytes) -> None:
        """Refuse an image by its bytes alone, which is quick.

        Raises:
            TooLargeError: It has too many.
        """
        if len(data) > self.limit_bytes:
            raise self.too_large()

    async def check(self, data: bytes, *, owner: str) -> Upload:
        """Check an image; nothing is stored yet.

        Args:
            data: The file's bytes, whatever they claim to be.
            owner: Whose it is; theirs are checked one after another.

        Raises:
            InvalidError: It is none of the formats, or damaged.
            TooLargeError: Too many bytes or pixels.
            UnavailableError: It took too long, or there is no space for it.
        """
        self.require_size(data)
        await self._store.require_space(len(data))
        decoded = await self._decode(data, owner)
        return await asyncio.to_thread(_named, decoded)

    def too_large(self) -> TooLargeError:
        """Return the error for an image of too many bytes."""
        most = _size(self.limit_bytes)
        return TooLargeError(
            f"The image must have {most} or fewer.",
            fields={"image": [f"Must have {most} or fewer."]},
            limit="image_limit_bytes",
        )

    async def keep(self, upload: Upload) -> None:
        """Store the files of an image; the same bytes are stored once.

        Raises:
            UnavailableError: Not all of them are stored.
        """
        for name, data in upload.files.items():
            await self._store.put(name, data)

    def describe(self, upload: Upload) -> dict[str, object]:
        """Return the ``image`` of a message, with fresh addresses."""
        image = upload.image
        described: dict[str, object] = {
            "url": self._links.address(image.name),
            "mime": upload.mime,
            "size": upload.sizes[image.name],
            "width": image.width,
            "height": image.height,
            "thumbhash": upload.thumbhash,
            "thumbnails": [
                {
                    "url": self._links.address(each.name),
                    "width": each.width,
                    "height": each.height,
                }
                for each in upload.thumbnails
            ],
        }
        if upload.animated:
            described["animated"] = True
        return described

    def address(self, name: str) -> str:
        """Return a fresh address of a stored image."""
        return self._links.address(name)

    @asynccontextmanager
    async def read(
        self, name: str, *, expires: str, signature: str
    ) -> AsyncIterator[Image]:
        """Open an image for whoever holds a valid address.

        Raises:
            ForbiddenError: The address is forged or has expired.
            NotFoundError: The image is not there.
            UnavailableError: The store does not answer.
        """
        valid_seconds = self._links.check(name, expires, signature)
        async with self._store.read(name) as file:
            yield Image(file, valid_seconds)

    async def aclose(self) -> None:
        """End the decoders; who waits for one is told that there is none."""
        await self._decoders.aclose()
        self._store.close()

    async def _decode(self, data: bytes, owner: str) -> Decoded:
        # One after another: a user's slow pictures hold one decoder, not all.
        turn = self._turns.setdefault(owner, asyncio.Lock())
        try:
            async with asyncio.timeout(DECODE_SECONDS), turn:
                return await self._decoders.decode(data)
        except TimeoutError:
            raise UnavailableError(
                "The image took too long to check; try again.", retry_after_ms=BUSY_MS
            ) from None


def _size(count: int) -> str:
    """Return a number of bytes as people, and the documents, write it."""
    if count % (1024 * 1024):
        return f"{count // 1024} KiB"
    return f"{count // (1024 * 1024)} MiB"


def _named(decoded: Decoded) -> Upload:
    """Name each file by what is in it; not the decoder: an image could mislead it."""
    image = _file(decoded.mime, decoded.width, decoded.height, decoded.data)
    files, thumbnails = {image.name: decoded.data}, []
    for each in decoded.thumbnails:
        thumbnails.append(_file("image/webp", each.width, each.height, each.data))
        files[thumbnails[-1].name] = each.data
    return Upload(
        image,
        decoded.mime,
        decoded.animated,
        decoded.thumbhash,
        thumbnails,
        {name: len(data) for name, data in files.items()},
        files,
    )


def _file(mime: str, width: int, height: int, data: bytes) -> File:
    sha256 = hashlib.sha256(data).hexdigest()
    return File(f"{sha256}.{EXTENSIONS[mime]}", width, height)
