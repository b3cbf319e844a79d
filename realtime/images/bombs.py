"""Small files that take a decoder minutes, told by their structure alone.

A limit of pixels does not stop them: the pixels are few, but the file says the same
thing thousands of times. No camera or program writes such files.
"""

import re
from typing import Final

SCANS: Final = 100
"""Scans of a JPEG; a progressive one has about ten. Each takes 27 ms at 40 megapixels,
and as few as 61 bytes."""

SEGMENTS: Final = 2_000
"""Segments of a JPEG. A photo has some ten; a profile or an Exif block of 8 MiB, split
into parts of 64 KiB, has 128."""

PROFILES: Final = 10
"""Times that a PNG says ``iCCP``, which it may do once, and once in a while by chance.
Each profile is unpacked to a megabyte."""

_PNG: Final = b"\x89PNG"
_JPEG: Final = b"\xff\xd8\xff"
_MARKER: Final = re.compile(rb"\xff+([^\x00\x01\xd0-\xd7\xff])")
"""A marker with a segment: not those without one, nor an escaped byte of pixels."""
_START_OF_SCAN: Final = 0xDA
_END: Final = 0xD9


def is_bomb(data: bytes) -> bool:
    """Whether a file repeats what others say once."""
    if data.startswith(_JPEG):
        return _repeats_segments(data)
    return data.startswith(_PNG) and data.count(b"iCCP") > PROFILES


def _repeats_segments(data: bytes) -> bool:
    """Walk over a JPEG from marker to marker, as its decoder will."""
    at, segments, scans = 2, 0, 0
    while found := _MARKER.search(data, at):
        marker, at = found.group(1)[0], found.end()
        if marker == _END:
            break
        segments += 1
        scans += marker == _START_OF_SCAN
        if segments > SEGMENTS or scans > SCANS:
            return True
        at += int.from_bytes(data[at : at + 2], "big")
    return False
