"""The images of a message: from the bytes that a client sends to what all are shown."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from handlers.guard import Payload
from realtime.errors import ChatError, UnavailableError
from realtime.images.service import BUSY_MS, Upload
from realtime.services import Services
from realtime.store.image_uses import Use

# Deadline of all images of a message: ten of the largest take five each.
MESSAGE_SECONDS: Final = 60.0


async def store_images(services: Services, use: Use, payload: Payload) -> list[str]:
    """Check and store what a message is to show, and describe it in its payload.

    Image by image, each until it is stored: what a picture becomes may have more bytes
    than it came with, and no message holds that of ten. If one is refused the message
    is; the files of those before it end as all do whose message does not come.

    Args:
        services: The node's.
        use: The message.
        payload: Of the request, with ``image`` or ``images``; they become what the
            message has: ``image``, the first one, and ``images``, all of several.

    Returns:
        The names of the files.

    Raises:
        InvalidError: One is none of the formats, or damaged.
        TooLargeError: One has too many bytes or pixels, or the user's images would.
        UnavailableError: Too many images at once, or they cannot be stored now.
    """
    images = services.images
    listed = "images" in payload
    sent: list[bytes | Upload] = payload["images"] if listed else [payload["image"]]
    described: list[dict[str, object]] = []
    names: dict[str, None] = {}
    with images.place(use.user):
        for at, data in enumerate(sent):
            if isinstance(data, bytes):
                with _told_as(at, len(sent), listed=listed):
                    images.require_size(data)
        try:
            async with asyncio.timeout(MESSAGE_SECONDS):
                for at, data in enumerate(sent):
                    with _told_as(at, len(sent), listed=listed):
                        upload = await store_image(services, use, data)
                    described.append(images.describe(upload))
                    names.update(dict.fromkeys(upload.sizes))
        except TimeoutError:
            raise UnavailableError(
                "The images took too long to check; try again.", retry_after_ms=BUSY_MS
            ) from None
    _describe(payload, described)
    return [*names]


async def store_image(services: Services, use: Use, data: bytes | Upload) -> Upload:
    """Check and store an image for a message that is about to show it.

    One that was uploaded before is claimed. The caller has a place among those whose
    images are checked.

    Raises:
        InvalidError: It is none of the formats, or damaged.
        TooLargeError: Too many bytes or pixels, or the user's images would have.
        UnavailableError: It took too long, or cannot be stored now.
    """
    images = services.images
    if isinstance(data, Upload):
        upload = data
    else:
        upload = await images.check(data, owner=use.user)
    await services.image_uses.claim(upload.sizes, use)
    await images.keep(upload)
    return upload


def _describe(payload: Payload, described: list[dict[str, object]]) -> None:
    """Put what images are like in their place, before what the application attached."""
    several = {"images": described} if len(described) > 1 else {}
    content: Payload = {}
    for name, value in payload.items():
        if name in ("image", "images"):
            content |= {"image": described[0], **several}
        else:
            content[name] = value
    payload.clear()
    payload.update(content)


@contextmanager
def _told_as(at: int, count: int, *, listed: bool) -> Iterator[None]:
    """Have an error of an image name the field that it came in."""
    try:
        yield
    except ChatError as error:
        if listed and error.fields:
            error.message = f"Image {at + 1} of {count}: {error.message}"
            error.fields = {f"images.{at}": said for said in error.fields.values()}
        raise
