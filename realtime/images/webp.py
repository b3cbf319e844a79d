"""WebP, chunk by chunk (RFC 9649): metadata goes, pixels stay.

Browsers do not turn a WebP, whatever its metadata says.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from realtime.images.metadata import is_profile
from realtime.images.parts import Picture, damaged

# Chunks that are looked at.
CHUNKS: Final = 100_000

_ICC, _EXIF, _XMP, _MOVES = 0x20, 0x08, 0x04, 0x02
_PIXELS: Final = (b"VP8 ", b"VP8L")
_FRAME: Final = b"ANMF"


class _Chunk(NamedTuple):
    name: bytes
    data: bytes


def is_webp(data: bytes) -> bool:
    """Tell whether a file says that it is one."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def clean_webp(data: bytes) -> Picture:
    """Return a WebP without its metadata.

    Raises:
        InvalidError: Its structure is not whole.
    """
    chunks = list(_walk(data[: 8 + int.from_bytes(data[4:8], "little")]))
    if not chunks:
        raise damaged()
    if chunks[0].name in _PIXELS:
        return Picture(_file(chunks[:1]))
    if chunks[0].name != b"VP8X" or len(chunks[0].data) < 10:
        raise damaged()
    flags = chunks[0].data[0]
    kept = list(_kept(chunks[1:], moves=bool(flags & _MOVES)))
    flags &= ~(_EXIF | _XMP | _ICC)
    if kept and kept[0].name == b"ICCP":
        flags |= _ICC
    head = _Chunk(b"VP8X", bytes((flags,)) + chunks[0].data[1:10])
    frames = sum(each.name == _FRAME for each in kept)
    return Picture(_file([head, *kept]), frames=max(1, frames))


def _kept(chunks: list[_Chunk], *, moves: bool) -> Iterator[_Chunk]:
    names = {b"ANIM", _FRAME} if moves else {b"ALPH", *_PIXELS}
    if chunks and chunks[0].name == b"ICCP" and is_profile(chunks[0].data):
        yield chunks[0]
    for chunk in chunks:
        if chunk.name in names:
            yield chunk
            if chunk.name in _PIXELS:
                return


def _walk(data: bytes) -> Iterator[_Chunk]:
    at, count = 12, 0
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if at + size > len(data):
            raise damaged()
        yield _Chunk(name, data[at : at + size])
        at += size + size % 2
        count += 1
        if count > CHUNKS:
            raise damaged()


def _file(chunks: list[_Chunk]) -> bytes:
    body = b"WEBP" + b"".join(
        each.name
        + struct.pack("<I", len(each.data))
        + each.data
        + bytes(len(each.data) % 2)
        for each in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body
