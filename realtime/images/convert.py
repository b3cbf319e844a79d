"""AVIF and HEIC, as phones write them: turned into what every browser shows."""

import io
from typing import Final

import pi_heif
from PIL import AvifImagePlugin, Image, ImageOps

from realtime.images.metadata import is_profile

# Longest side of what comes out, in pixels: 12 megapixels of a photo.
MOST_SIDE: Final = 4_096

# Tried until the file is not too large.
QUALITIES: Final = (88, 70, 45)

# Of the file's first box, in which it says what it is.
BRAND_BYTES: Final = 256

_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIC: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1"}
)

# One processor is what a decoder may take; threads would take memory as well.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pi_heif.options.DECODE_THREADS = 1
pi_heif.register_heif_opener(thumbnails=False)


def reader_of(data: bytes) -> str | None:
    """Return Pillow's name of what reads a file; None if it is neither of the two."""
    if data[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(data[:4], "big"), BRAND_BYTES)
    brands = {data[at : at + 4] for at in (8, *range(16, size, 4))}
    if brands & _AVIF:
        return "AVIF"
    return "HEIF" if brands & _HEIC else None


def converted(image: Image.Image, most_bytes: int) -> bytes:
    """Return the first frame of an image, upright, as JPEG, or WebP if see-through.

    Args:
        image: Opened by its reader.
        most_bytes: What it should not exceed; a picture that always does is returned
            as small as it gets.
    """
    image.load()
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    see_through = image.mode in ("RGBA", "LA", "PA")
    plain = image.convert("RGBA" if see_through else "RGB")
    plain.thumbnail((MOST_SIDE, MOST_SIDE), reducing_gap=2.0)
    keeps = isinstance(profile, bytes) and is_profile(profile)
    options: dict[str, object] = {"icc_profile": profile if keeps else None}
    options |= {"method": 2} if see_through else {}
    data = b""
    for quality in QUALITIES:
        file = io.BytesIO()
        form = "WEBP" if see_through else "JPEG"
        plain.save(file, form, quality=quality, **options)
        data = file.getvalue()
        if len(data) <= most_bytes:
            break
    return data
