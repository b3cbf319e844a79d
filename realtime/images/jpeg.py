"""JPEG, segment by segment (ITU-T T.81, annex B): metadata goes, pixels stay.

A limit of pixels does not bound a decoder's work: a file of few pixels may say the same
thing thousands of times. No camera or program writes such files.
"""

import hashlib
import io
import re
from typing import Final, NamedTuple

from PIL import Image

from realtime.images.metadata import UPRIGHT, exif_of, is_profile, orientation_of
from realtime.images.parts import Picture, damaged

# Scans of a JPEG; a progressive one has about ten. Each takes 27 ms at 40 megapixels,
# and as few as 61 bytes.
SCANS: Final = 100

# Segments of a JPEG. A photo has some ten; a profile or an Exif block of 8 MiB, split
# into parts of 64 KiB, has 128.
SEGMENTS: Final = 2_000

START: Final = b"\xff\xd8\xff"
END: Final = b"\xff\xd9"

# Put where pixels may be missing: a few blocks of them.
FILLED_BYTES: Final = 64

# A marker with a segment: not those without one, nor an escaped byte of pixels.
_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xd0-\xd8\xff])")
_START_OF_SCAN: Final = 0xDA
_END: Final = 0xD9
# Frames, tables, scans: what the pixels are decoded by.
_KEPT: Final = frozenset(range(0xC0, 0xD0)) | {0xDA, 0xDB, 0xDC, 0xDD}
_JFIF, _ADOBE, _EXIF, _ICC = 0xE0, 0xEE, 0xE1, 0xE2
_EXIF_NAME: Final = b"Exif\0\0"
_ICC_NAME: Final = b"ICC_PROFILE\0"
_PART_BYTES: Final = 65_000


class _Segment(NamedTuple):
    marker: int
    body: bytes
    before: bytes
    """What stands before it: of a scan, its pixels; else junk."""


def clean_jpeg(data: bytes) -> Picture:
    """Return the first picture of a JPEG without its metadata.

    Further pictures, films and whatever else stands behind it goes as well.

    Raises:
        InvalidError: Its structure is not whole, or repeats itself without end.
    """
    segments, is_ended = _split(data)
    markers = [each.marker for each in segments]
    if _START_OF_SCAN not in markers:
        raise damaged()
    scans_at = markers.index(_START_OF_SCAN)
    out = [part for each in segments[: scans_at + 1] if (part := _kept(each))]
    for segment in segments[scans_at + 1 :]:
        # The pixels of the scan before it.
        out += (segment.before, _kept(segment))
    orientation = _orientation(segments)
    about = _profile(segments)
    if orientation != UPRIGHT:
        about.insert(0, _segment(_EXIF, _EXIF_NAME + exif_of(orientation)))
    # Behind JFIF's own segment, which readers look for at the start.
    at = 1 if out[0].startswith(b"\xff\xe0") else 0
    parts = [START[:2], *out[:at], *about, *out[at:], END]
    return Picture(b"".join(parts), orientation, is_ended=is_ended)


def _kept(segment: _Segment) -> bytes:
    """Return what is kept of a segment: all, a part, or nothing."""
    marker, body = segment.marker, segment.body
    if marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= 14:
        # Without the small picture that may be in it.
        return _segment(marker, body[:12] + bytes(2))
    if marker in _KEPT or (marker == _ADOBE and body.startswith(b"Adobe")):
        return _segment(marker, body)
    return b""


def _orientation(segments: list[_Segment]) -> int:
    """Return what the first Exif block asks for, whatever is in it."""
    for segment in segments:
        if segment.marker == _EXIF and segment.body.startswith(_EXIF_NAME):
            return orientation_of(segment.body[len(_EXIF_NAME) :])
    return UPRIGHT


def _profile(segments: list[_Segment]) -> list[bytes]:
    """Return the segments of the colour profile; none if it is not whole."""
    parts: dict[int, bytes] = {}
    count = 0
    for segment in segments:
        if segment.marker == _ICC and segment.body.startswith(_ICC_NAME):
            part = segment.body[len(_ICC_NAME) :]
            if len(part) > 2:
                parts.setdefault(part[0], part[2:])
                count = part[1]
    whole = b"".join(parts.get(number, b"") for number in range(1, count + 1))
    if len(parts) < count or not is_profile(whole):
        return []
    pieces = [whole[at : at + _PART_BYTES] for at in range(0, len(whole), _PART_BYTES)]
    return [
        _segment(_ICC, _ICC_NAME + bytes((number, len(pieces))) + piece)
        for number, piece in enumerate(pieces, 1)
    ]


def _split(data: bytes) -> tuple[list[_Segment], bool]:
    """Return the segments up to the end, and whether the file has one."""
    found: list[_Segment] = []
    at, scans = 2, 0
    while marker := _MARKER.search(data, at):
        number, start = marker[1][0], marker.end()
        before = data[at : marker.start()]
        if number == _END:
            found.append(_Segment(number, b"", before))
            return found, True
        size = int.from_bytes(data[start : start + 2], "big")
        at = start + size
        if size < 2 or at > len(data):
            raise damaged()
        found.append(_Segment(number, data[start + 2 : at], before))
        scans += number == _START_OF_SCAN
        if len(found) > SEGMENTS or scans > SCANS:
            raise damaged()
    found.append(_Segment(_END, b"", data[at:].rstrip(b"\xff")))
    return found, False


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def lacks_pixels(data: bytes) -> bool:
    """Tell whether a JPEG that had no end was cut within its pixels.

    Decoders fill what is missing. So what they show of a whole picture does not depend
    on what comes behind its pixels, and of a cut one it does.

    Raises:
        OSError: It cannot be decoded at all.
    """
    body = data[: -len(END)]
    endings = (END, b"\x55" * FILLED_BYTES + END, b"\xaa" * FILLED_BYTES + END)
    return len({_digest_of_pixels(body + ending) for ending in endings}) > 1


def _digest_of_pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return hashlib.sha256(image.tobytes()).digest()
