"""PNG, chunk by chunk (PNG, third edition, W3C): metadata goes, pixels stay."""

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from realtime.images.metadata import UPRIGHT, exif_of, is_profile, orientation_of
from realtime.images.parts import Picture, damaged

START: Final = b"\x89PNG\r\n\x1a\n"

# Chunks that are looked at: 8 MiB in pieces of 80 bytes.
CHUNKS: Final = 100_000

# Of a colour profile, unpacked; printers' have two megabytes.
PROFILE_BYTES: Final = 4 * 1024 * 1024

# Chunks about colours and resolution that are kept, and their only length.
_SIZES: Final = {
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"pHYs": 9,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
}

# By colour type; a palette has up to one byte an entry.
_TRANSPARENCY_SIZES: Final = {0: 2, 2: 6}
_PALETTE: Final = 3
_MOVING: Final = (b"acTL", b"fcTL", b"fdAT")


class _Chunk(NamedTuple):
    name: bytes
    data: bytes
    is_sound: bool
    """Whether its checksum is right."""

    @property
    def matters(self) -> bool:
        """Whether a reader that does not know it must give up."""
        return not self.name[0] & 0x20


def clean_png(data: bytes) -> Picture:
    """Return a PNG without its metadata.

    Raises:
        InvalidError: Its structure is not whole.
    """
    chunks, is_ended = _split(data)
    names = [each.name for each in chunks]
    if names[:1] != [b"IHDR"] or len(chunks[0].data) != 13 or b"IDAT" not in names:
        raise damaged()
    pixels_at = names.index(b"IDAT")
    moves = _moves(chunks)
    about = set(
        map(id, _about_colours(chunks[1:pixels_at], colour_type=chunks[0].data[9]))
    )
    shown = {b"IHDR", b"PLTE", b"IDAT", *(_MOVING if moves else ())}
    kept = [each for each in chunks if each.name in shown or id(each) in about]
    orientation = _orientation(chunks[:pixels_at])
    if orientation != UPRIGHT:
        kept.insert(1, _Chunk(b"eXIf", exif_of(orientation), is_sound=True))
    kept.append(_Chunk(b"IEND", b"", is_sound=True))
    return Picture(
        START + b"".join(_chunk(each.name, each.data) for each in kept),
        orientation,
        frames=max(1, sum(each.name == b"fcTL" for each in kept)),
        is_ended=is_ended,
    )


def _orientation(before_pixels: list[_Chunk]) -> int:
    """Return what the first Exif chunk asks for; behind the pixels it is too late."""
    exif = next((each for each in before_pixels if each.name == b"eXIf"), None)
    return orientation_of(exif.data) if exif and exif.is_sound else UPRIGHT


def _split(data: bytes) -> tuple[list[_Chunk], bool]:
    """Return the chunks before the end, and whether the file has one.

    Raises:
        InvalidError: One that matters is cut, unknown or has a wrong checksum.
    """
    found: list[_Chunk] = []
    for chunk in _walk(data):
        if chunk.name == b"IEND":
            return found, True
        # A wrong checksum of pixels may be just that: unpacking them tells.
        is_known = chunk.name in (b"IHDR", b"PLTE") and chunk.is_sound
        if chunk.matters and chunk.name != b"IDAT" and not is_known:
            raise damaged()
        found.append(chunk)
        if len(found) > CHUNKS:
            raise damaged()
    return found, False


def _walk(data: bytes) -> Iterator[_Chunk]:
    at = len(START)
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            raise damaged()
        check = int.from_bytes(data[end : end + 4], "big")
        sound = zlib.crc32(data[at + 4 : end]) == check
        yield _Chunk(name, data[at + 8 : end], sound)
        at = end + 4
    if at != len(data):
        raise damaged()


def _moves(chunks: list[_Chunk]) -> bool:
    """Whether the chunks of an animation are whole; else there is a still picture."""
    parts = [each for each in chunks if each.name in _MOVING]
    return (
        bool(parts)
        and parts[0].name == b"acTL"
        and len(parts[0].data) == 8
        and all(each.is_sound for each in parts)
    )


def _about_colours(chunks: list[_Chunk], *, colour_type: int) -> list[_Chunk]:
    """Return the first of each kind that is kept, if what it says makes sense."""
    palette = next((each.data for each in chunks if each.name == b"PLTE"), b"")
    firsts = {each.name: each for each in reversed(chunks)}
    return [
        each
        for each in firsts.values()
        if each.is_sound and _makes_sense(each, colour_type, len(palette) // 3)
    ]


def _makes_sense(chunk: _Chunk, colour_type: int, colours: int) -> bool:
    size = len(chunk.data)
    if chunk.name == b"tRNS":
        if colour_type == _PALETTE:
            return 0 < size <= colours
        return size == _TRANSPARENCY_SIZES.get(colour_type)
    if chunk.name == b"iCCP":
        label, _, packed = chunk.data.partition(b"\0")
        return 0 < len(label) < 80 and _is_packed_profile(packed)
    return size == _SIZES.get(chunk.name)


def _is_packed_profile(packed: bytes) -> bool:
    if packed[:1] != b"\0":
        return False
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], PROFILE_BYTES)
    except zlib.error:
        return False
    return unpacker.eof and is_profile(profile)


def _chunk(name: bytes, data: bytes) -> bytes:
    checked = name + data
    return (
        struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
    )
