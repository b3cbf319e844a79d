"""Smaller pictures of an image, upright and still, and its hash of a few bytes."""

import base64
import io
from types import MappingProxyType
from typing import Final, NamedTuple

from PIL import Image

from realtime.images.metadata import is_profile
from realtime.images.thumbhash import thumbhash_of

# Longest side of each in pixels: a picture in a list, and one on a screen.
SIDES: Final = (320, 1280)

LARGEST_SIDE: Final = max(SIDES)

QUALITY: Final = 80
# Of libwebp's 0 to 6: a tenth larger than its default, in half the time.
EFFORT: Final = 2

# Largest colour profile that they carry: those of screens have 600 bytes.
PROFILE_BYTES: Final = 4_096

# What brings a picture of each Exif orientation upright.
_UPRIGHT: Final = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)


class Thumbnail(NamedTuple):
    """A WebP."""

    width: int
    height: int
    data: bytes


class Smaller(NamedTuple):
    """The ThumbHash of an image in base64, and its thumbnails, smallest first."""

    hash: str
    files: tuple[Thumbnail, ...]


def thumbnails_of(
    image: Image.Image, orientation: int, *, shown: tuple[int, int]
) -> Smaller:
    """Return what is shown of an image before and instead of itself.

    Args:
        image: Decoded, at least as large as the largest thumbnail if it is larger.
        orientation: How it is to be turned, as Exif numbers it.
        shown: Its width and height as shown; no thumbnail is made larger.
    """
    profile = _profile(image)
    small = _plain(image)
    small.thumbnail((LARGEST_SIDE, LARGEST_SIDE), reducing_gap=2.0)
    if orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[orientation])
    made = []
    for side in sorted(SIDES, reverse=True):
        if max(shown) > side:
            small.thumbnail((side, side), reducing_gap=2.0)
            made.append(Thumbnail(*small.size, _webp(small, profile)))
    digest = base64.b64encode(thumbhash_of(small)).decode()
    return Smaller(digest, tuple(reversed(made)))


def _plain(image: Image.Image) -> Image.Image:
    """Return a copy in red, green, blue and, where it is needed, alpha."""
    if image.mode.startswith("I"):
        # Sixteen bits of grey, of which the upper half is seen.
        image = image.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _profile(image: Image.Image) -> bytes | None:
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "RGBA") or not isinstance(profile, bytes):
        return None
    fits = len(profile) <= PROFILE_BYTES and is_profile(profile)
    return profile if fits and profile[16:20] == b"RGB " else None


def _webp(image: Image.Image, profile: bytes | None) -> bytes:
    file = io.BytesIO()
    options = {"icc_profile": profile} if profile else {"icc_profile": None}
    image.save(file, "WEBP", quality=QUALITY, method=EFFORT, **options)
    return file.getvalue()
