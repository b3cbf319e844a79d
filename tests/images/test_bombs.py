"""Files that would take a decoder minutes, and real ones that look a little so."""

import io
import struct

import pytest
from PIL import Image

from realtime.errors import InvalidError
from realtime.images.decode import Limits, decode_image
from realtime.images.jpeg import SCANS, SEGMENTS
from tests.kit.pictures import with_scans


def jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((200, 200), 90).convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def png_with_profiles(count: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG", icc_profile=b"p")
    data = file.getvalue()
    at = data.index(b"iCCP") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    return data[:at] + data[at:end] * count + data[end:]


def with_segments(data: bytes, more: int, body: bytes = b"Exif\0\0x") -> bytes:
    segment = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    return data[:2] + segment * more + data[2:]


LIMITS = Limits(file_bytes=8_000_000, pixels=1_000_000, frame_pixels=9_000_000)
PROGRESSIVE = jpeg(progressive=True, quality=95)
BASELINE = jpeg()
BEHIND = b"\xff\xda" * (SCANS + 1)
# A marker without a segment must not lead the count astray.
MASKED = b"\xff\x01\xff\xff"


@pytest.mark.parametrize(
    "data",
    [
        with_scans(PROGRESSIVE, SCANS),
        with_scans(PROGRESSIVE[:-2] + MASKED + PROGRESSIVE[-2:], SCANS),
        with_segments(BASELINE, SEGMENTS),
        with_segments(BASELINE, SEGMENTS, b""),
    ],
    ids=["scans", "masked", "Exif", "empty"],
)
def test_what_is_repeated_without_end_is_damaged(data: bytes) -> None:
    """A picture that would keep a decoder for minutes is refused before it begins."""
    with pytest.raises(InvalidError, match="damaged"):
        decode_image(data, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        BASELINE,
        PROGRESSIVE,
        with_scans(PROGRESSIVE, SCANS // 2),
        with_segments(BASELINE, 130),
        # A thumbnail's scans, a video behind a photo: not the picture's own.
        with_segments(BASELINE, 1, b"Exif\0\0" + BEHIND),
        BASELINE + BEHIND,
        jpeg(restart_marker_blocks=1),
        # All but the first one are left out.
        png_with_profiles(100),
    ],
    ids=range(8),
)
def test_what_programs_write_is_let_through(data: bytes) -> None:
    """Many scans, metadata in parts, further pictures inside and behind: all fine."""
    decode_image(data, LIMITS)
