"""What an image is: recognised by its content, bounded, cleaned, and decoded once.

Runs in a process of its own (``realtime.images.decoder_pool``): 50 megapixels may
take seconds and 800 MB, a hostile file more.
"""

import io
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, NamedTuple

from PIL import Image

from realtime.errors import InvalidError, TooLargeError
from realtime.images.convert import converted, reader_of
from realtime.images.gif import clean_gif, is_gif
from realtime.images.jpeg import START as JPEG_START
from realtime.images.jpeg import clean_jpeg, lacks_pixels
from realtime.images.metadata import TURNED
from realtime.images.parts import Picture, damaged
from realtime.images.png import START as PNG_START
from realtime.images.png import clean_png
from realtime.images.thumbnails import LARGEST_SIDE, Thumbnail, thumbnails_of
from realtime.images.webp import clean_webp, is_webp

# The formats that are stored, and what their files are called.
EXTENSIONS: Final = MappingProxyType(
    {
        "image/png": "png",
        "image/jpeg": "jpg",
        "image/webp": "webp",
        "image/gif": "gif",
    }
)

MEGA: Final = 1_000_000
_FORMATS: Final = "a PNG, JPEG, WebP, GIF, AVIF or HEIC"
# Pillow's own bound, beyond twice ours; the warning comes as an error where the process
# is set to do so.
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


class Limits(NamedTuple):
    """Most bytes of a file that is stored, pixels of a frame, and of all frames."""

    file_bytes: int
    pixels: int
    frame_pixels: int


class Decoded(NamedTuple):
    """What is to be stored and told of an image; width and height as shown."""

    mime: str
    width: int
    height: int
    animated: bool
    thumbhash: str
    data: bytes
    thumbnails: tuple[Thumbnail, ...]


class _Kind(NamedTuple):
    """A format: its mime type, Pillow's name of it, and what cleans its files."""

    mime: str
    reader: str
    clean: Callable[[bytes], Picture]


_JPEG: Final = _Kind("image/jpeg", "JPEG", clean_jpeg)
_PNG: Final = _Kind("image/png", "PNG", clean_png)
_WEBP: Final = _Kind("image/webp", "WEBP", clean_webp)
_GIF: Final = _Kind("image/gif", "GIF", clean_gif)


def decode_image(data: bytes, limits: Limits) -> Decoded:
    """Recognise an image, take its metadata off, and decode its first frame as a whole.

    AVIF and HEIC, which not all browsers show, become JPEG or WebP.

    Args:
        data: The file; its name and claimed type do not matter.
        limits: Known before any pixel is decoded.

    Raises:
        InvalidError: It is none of the formats, or broken.
        TooLargeError: It has too many pixels.
    """
    if (reader := reader_of(data)) is not None:
        with _opened(data, reader, limits) as image:
            try:
                data = converted(image, limits.file_bytes)
            except Exception:  # noqa: BLE001 - decoders raise anything on hostile input
                raise damaged() from None
    kind = _kind_of(data)
    picture = kind.clean(data)
    with _opened(picture.data, kind.reader, limits) as image:
        size = width, height = image.size
        _check_frames(picture, width * height, limits)
        if picture.orientation in TURNED:
            width, height = height, width
        try:
            if kind is _JPEG:
                if not picture.is_ended and lacks_pixels(picture.data):
                    raise damaged()
                # Read as a whole, but no larger than the largest thumbnail needs it.
                share = min(1.0, LARGEST_SIDE / max(size))
                image.draft(None, (int(size[0] * share), int(size[1] * share)))
            image.load()
            smaller = thumbnails_of(image, picture.orientation, shown=(width, height))
        except Exception:  # noqa: BLE001 - decoders raise anything on hostile input
            raise damaged() from None
    moves = picture.frames > 1
    return Decoded(
        kind.mime, width, height, moves, smaller.hash, picture.data, smaller.files
    )


def _kind_of(data: bytes) -> _Kind:
    if data.startswith(JPEG_START):
        return _JPEG
    if data.startswith(PNG_START):
        return _PNG
    if is_webp(data):
        return _WEBP
    if is_gif(data):
        return _GIF
    raise InvalidError(
        f"The image must be {_FORMATS}.", fields={"image": [f"Must be {_FORMATS}."]}
    )


def _opened(data: bytes, reader: str, limits: Limits) -> Image.Image:
    """Return an image of which no pixel is decoded, and that is not too large.

    Raises:
        InvalidError: Its head is broken.
        TooLargeError: It has too many pixels.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=(reader,))
    except _BOMBS:
        raise _too_many(None, limits.pixels, "image_limit_pixels") from None
    except Exception:  # noqa: BLE001 - readers raise anything on hostile input
        raise damaged() from None
    pixels = image.width * image.height
    if pixels > limits.pixels:
        image.close()
        raise _too_many(pixels, limits.pixels, "image_limit_pixels")
    return image


def _check_frames(picture: Picture, pixels: int, limits: Limits) -> None:
    """Bound what showing an animation once costs whoever looks at it."""
    all_pixels = max(picture.frames * pixels, picture.frame_pixels)
    if picture.frames > 1 and all_pixels > limits.frame_pixels:
        raise _too_many(
            all_pixels,
            limits.frame_pixels,
            "image_limit_frame_pixels",
            of=" in all its frames",
        )


def _too_many(
    pixels: int | None, most: int, limit: str, *, of: str = ""
) -> TooLargeError:
    said = f"{most / MEGA:.3g} megapixels or fewer{of}"
    has = "" if pixels is None else f" It has {pixels / MEGA:.3g}."
    return TooLargeError(
        f"The image must have {said}.{has}",
        fields={"image": [f"Must have {said}."]},
        limit=limit,
    )
