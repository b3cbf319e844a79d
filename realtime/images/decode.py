"""What an image is: recognised by its content, bounded, and decoded once to prove it.

Runs in a process of its own (``realtime.images.decoder_pool``): 40 megapixels may
take a second and 600 MB, a hostile file more.
"""

import hashlib
import io
from types import MappingProxyType
from typing import Final, NamedTuple

from PIL import Image

from realtime.errors import InvalidError, TooLargeError
from realtime.images.bombs import is_bomb

EXTENSIONS: Final = MappingProxyType(
    {
        "image/png": "png",
        "image/jpeg": "jpg",
        "image/webp": "webp",
        "image/gif": "gif",
    }
)
"""The formats that are taken, and what their files are called."""

_MIMES: Final = MappingProxyType(
    {
        "PNG": "image/png",
        "JPEG": "image/jpeg",
        "MPO": "image/jpeg",  # a JPEG with further pictures behind it (3D cameras)
        "WEBP": "image/webp",
        "GIF": "image/gif",
    }
)
_READERS: Final = ("PNG", "JPEG", "WEBP", "GIF")
"""Pillow knows 40 formats; those that are not named here are never tried."""

_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Pillow's own bound, beyond twice ours; the warning comes as an error where the
process is set to do so."""

_ORIENTATION_TAG: Final = 0x0112
_TURNED: Final = frozenset({5, 6, 7, 8})
"""EXIF orientations by which a viewer swaps width and height."""


class Decoded(NamedTuple):
    """What decoding told of an image; width and height as a viewer shows it."""

    sha256: str
    mime: str
    width: int
    height: int


def decode_image(data: bytes, *, limit_pixels: int) -> Decoded:
    """Recognise an image and decode its first frame as a whole.

    Args:
        data: The file; its name and claimed type do not matter.
        limit_pixels: Most pixels; known before any of them is decoded.

    Raises:
        InvalidError: It is none of the formats, or broken.
        TooLargeError: It has too many pixels.
    """
    if is_bomb(data):
        raise _damaged()
    try:
        image = Image.open(io.BytesIO(data), formats=_READERS)
    except _BOMBS:
        raise _too_many(limit_pixels) from None
    except Exception:  # noqa: BLE001 - readers raise anything on hostile input
        raise InvalidError(
            "The image must be a PNG, JPEG, WebP or GIF.",
            fields={"image": ["Must be a PNG, JPEG, WebP or GIF."]},
        ) from None
    with image:
        if image.width * image.height > limit_pixels:
            raise _too_many(limit_pixels)
        mime = _MIMES[image.format or ""]
        try:
            width, height = _shown_size(image)
            # A JPEG is read as a whole, but at an eighth of its size: half the time.
            image.draft(None, (1, 1))
            image.load()
        except Exception:  # noqa: BLE001 - decoders raise anything on hostile input
            raise _damaged() from None
    return Decoded(hashlib.sha256(data).hexdigest(), mime, width, height)


def _shown_size(image: Image.Image) -> tuple[int, int]:
    if image.getexif().get(_ORIENTATION_TAG) in _TURNED:
        return image.height, image.width
    return image.width, image.height


def _damaged() -> InvalidError:
    return InvalidError(
        "The image is damaged or incomplete.",
        fields={"image": ["Is damaged or incomplete."]},
    )


def _too_many(limit_pixels: int) -> TooLargeError:
    return TooLargeError(
        f"The image must have {limit_pixels // 1_000_000} megapixels or fewer.",
        fields={"image": ["Has too many pixels."]},
        limit="image_limit_pixels",
    )
