"""GIF, block by block (GIF89a): comments and the like go, every frame is whole."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from realtime.images.parts import Picture, damaged

# Frames of a GIF, however small: five minutes at 30 a second.
FRAMES: Final = 10_000

# Blocks that are looked at.
BLOCKS: Final = 100_000

_EXTENSION, _FRAME, _END = 0x21, 0x2C, 0x3B
_CONTROL, _APPLICATION = 0xF9, 0xFF
# Applications whose blocks say how often an animation is repeated.
_LOOPS: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


class _Block(NamedTuple):
    kind: int
    start: int
    end: int
    is_kept: bool
    pixels: int = 0


def is_gif(data: bytes) -> bool:
    """Tell whether a file says that it is one."""
    return data[:6] in (b"GIF87a", b"GIF89a")


def clean_gif(data: bytes) -> Picture:
    """Return a GIF without comments and foreign data.

    Raises:
        InvalidError: A frame is cut, or there is none.
    """
    if len(data) < 13:
        raise damaged()
    at = 13 + _table_bytes(data[10])
    out, frames, pixels, is_ended = [data[:at]], 0, 0, False
    for block in _walk(data, at):
        if block.kind == _END:
            is_ended = True
            break
        frames += block.kind == _FRAME
        pixels += block.pixels
        if frames > FRAMES:
            raise damaged()
        if block.is_kept:
            out.append(data[block.start : block.end])
    if not frames:
        raise damaged()
    whole = b"".join(out) + bytes((_END,))
    return Picture(whole, frames=frames, frame_pixels=pixels, is_ended=is_ended)


def _walk(data: bytes, at: int) -> Iterator[_Block]:
    """Go over the blocks up to the end, or to what is no block."""
    for _ in range(BLOCKS):
        if at >= len(data):
            return
        kind, start, is_kept, pixels = data[at], at, True, 0
        if kind == _FRAME:
            if at + 10 > len(data):
                raise damaged()
            pixels = _number(data, at + 5) * _number(data, at + 7)
            at = _skip_parts(data, at + 11 + _table_bytes(data[at + 9]))
        elif kind == _EXTENSION:
            label = data[at + 1 : at + 2]
            name = data[at + 3 : at + 14]
            is_kept = label == bytes((_CONTROL,)) or (
                label == bytes((_APPLICATION,)) and name in _LOOPS
            )
            at = _skip_parts(data, at + 2)
        else:
            # Browsers stop at what is no block, and show what there was.
            yield _Block(_END, at, at, is_kept=False)
            return
        yield _Block(kind, start, at, is_kept, pixels)
    raise damaged()


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _skip_parts(data: bytes, at: int) -> int:
    """Return where the block ends whose first part is here."""
    while at < len(data):
        size = data[at]
        at += 1 + size
        if not size:
            return at
    raise damaged()


def _table_bytes(flags: int) -> int:
    """Return the length of the colour table that flags tell of."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
