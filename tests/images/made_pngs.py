"""PNG files, whole and odd."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.images.made_pictures import (
    ORIENTATIONS,
    SIZE,
    SRGB,
    XMP,
    place,
    saved,
    shapes,
    tiff,
)


def chunk(name: bytes, data: bytes, *, check: int = 0) -> bytes:
    """Return a chunk; ``check`` other than 0 makes its checksum wrong."""
    checked = name + data
    return (
        struct.pack(">I", len(data))
        + checked
        + struct.pack(">I", zlib.crc32(checked) ^ check)
    )


def with_chunks(data: bytes, *chunks: bytes, before: bytes = b"IDAT") -> bytes:
    at = data.index(before) - 4
    return data[:at] + b"".join(chunks) + data[at:]


def wrong_check(data: bytes, name: bytes) -> bytes:
    """Return a PNG in which the checksum of a chunk is wrong."""
    at = data.index(name)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return (
        data[:end]
        + bytes(each ^ 0xFF for each in data[end : end + 4])
        + data[end + 4 :]
    )


def raw_profile(content: bytes, name: bytes = b"exif") -> bytes:
    """Return a text chunk in which ImageMagick keeps metadata."""
    text = b"\n" + name + b"\n%8d\n" % len(content) + content.hex().encode() + b"\n"
    return chunk(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(text))


def pngs() -> Iterator[tuple[str, bytes]]:
    plain = saved("PNG")
    palette = saved("PNG", shapes(mode="P"))
    yield "plain", plain
    for mode in ("1", "L", "LA", "P", "RGBA", "I;16"):
        yield f"mode {mode}", saved("PNG", shapes(mode=mode))
    yield "see-through palette", saved("PNG", shapes(mode="P"), transparency=0)
    yield (
        "moving",
        saved("PNG", shapes(), save_all=True, append_images=[shapes(shift=5)]),
    )
    for number in ORIENTATIONS:
        yield f"orientation {number}", with_chunks(plain, chunk(b"eXIf", tiff(number)))
    yield (
        "orientation behind the pixels",
        with_chunks(plain, chunk(b"eXIf", tiff(6)), before=b"IEND"),
    )
    yield (
        "orientation with a wrong checksum",
        with_chunks(plain, chunk(b"eXIf", tiff(6), check=1)),
    )
    yield (
        "orientation with Exif's name",
        with_chunks(plain, chunk(b"eXIf", b"Exif\0\0" + tiff(6))),
    )
    yield (
        "orientation in XMP",
        with_chunks(plain, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)),
    )
    yield (
        "orientation in a raw profile",
        with_chunks(plain, raw_profile(b"Exif\0\0" + tiff(6))),
    )
    yield "place", with_chunks(plain, chunk(b"eXIf", place()))
    yield "broken Exif", with_chunks(plain, chunk(b"eXIf", b"\xff" * 30))
    yield "empty Exif", with_chunks(plain, chunk(b"eXIf", b""))
    yield "cut Exif", with_chunks(plain, chunk(b"eXIf", tiff(6)[:18]))
    yield "raw profile of junk", with_chunks(plain, raw_profile(b"junk"))
    yield (
        "raw profile, no hex",
        with_chunks(plain, chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 5\nzz")),
    )
    yield "raw IPTC", with_chunks(plain, raw_profile(b"8BIM junk", b"iptc"))
    yield "text", with_chunks(plain, chunk(b"tEXt", b"Comment\0hello"))
    yield (
        "text behind the pixels",
        with_chunks(plain, chunk(b"tEXt", b"Comment\0hello"), before=b"IEND"),
    )
    long_text = chunk(
        b"zTXt", b"Comment\0\0" + zlib.compress(bytes(8 * 1024 * 1024), 9)
    )
    yield "much compressed text", with_chunks(plain, long_text)
    yield "very much compressed text", with_chunks(plain, *[long_text] * 12)
    yield (
        "compressed text of junk",
        with_chunks(plain, chunk(b"zTXt", b"Comment\0\0junk")),
    )
    yield (
        "text with a wrong checksum",
        with_chunks(plain, chunk(b"tEXt", b"Comment\0hello", check=1)),
    )
    yield (
        "time with a wrong checksum",
        with_chunks(plain, chunk(b"tIME", bytes(7), check=1)),
    )
    yield "gamma", with_chunks(plain, chunk(b"gAMA", struct.pack(">I", 45455)))
    yield (
        "gamma with a wrong checksum",
        with_chunks(plain, chunk(b"gAMA", struct.pack(">I", 45455), check=1)),
    )
    yield "gamma of a wrong length", with_chunks(plain, chunk(b"gAMA", b"x"))
    yield "resolution of a wrong length", with_chunks(plain, chunk(b"pHYs", b"x"))
    yield "profile", saved("PNG", icc_profile=SRGB)
    yield "profile of junk", with_chunks(plain, chunk(b"iCCP", b"p\0\0junk"))
    yield "profile without an end", with_chunks(plain, chunk(b"iCCP", b"p"))
    yield (
        "profile with a wrong checksum",
        wrong_check(saved("PNG", icc_profile=SRGB), b"iCCP"),
    )
    yield (
        "two profiles",
        with_chunks(
            saved("PNG", icc_profile=SRGB),
            chunk(b"iCCP", b"p\0\0" + zlib.compress(SRGB)),
        ),
    )
    yield "transparency of a wrong length", with_chunks(plain, chunk(b"tRNS", b"x"))
    yield "unknown chunk", with_chunks(plain, chunk(b"xxXx", b"hello"))
    yield "unknown chunk that matters", with_chunks(plain, chunk(b"XXXX", b"hello"))
    yield "chunk of an odd name", with_chunks(plain, chunk(b"x\0\0x", b"hello"))
    yield "pixels in many chunks", split_pixels(plain)
    yield "text between pixels", split_pixels(plain, chunk(b"tEXt", b"Comment\0hello"))
    yield "text behind its end", plain + b"<script>alert(1)</script>"
    yield "without an end", plain[:-12]
    yield "end with a wrong checksum", wrong_check(plain, b"IEND")
    yield "head with a wrong checksum", wrong_check(plain, b"IHDR")
    yield "palette with a wrong checksum", wrong_check(palette, b"PLTE")
    yield "pixels with a wrong checksum", wrong_check(plain, b"IDAT")
    yield "palette missing", without_chunk(palette, b"PLTE")
    yield "cut in half", plain[: len(plain) // 2]
    yield "cut before its last tenth", saved("PNG", noise())[: -len(plain) // 2]
    yield "only its head", plain[:33]
    yield "signature", plain[:8]
    yield "no size", plain.replace(struct.pack(">II", *SIZE), bytes(8), 1)


def noise() -> Image.Image:
    return Image.effect_noise(SIZE, 90).convert("RGB")


def split_pixels(data: bytes, between: bytes = b"") -> bytes:
    """Return a PNG with its pixels in chunks of ten bytes."""
    at = data.index(b"IDAT")
    size = int.from_bytes(data[at - 4 : at], "big")
    pixels = data[at + 4 : at + 4 + size]
    parts = [chunk(b"IDAT", pixels[n : n + 10]) for n in range(0, size, 10)]
    return data[: at - 4] + between.join(parts) + data[at + 8 + size :]


def without_chunk(data: bytes, name: bytes) -> bytes:
    at = data.index(name)
    return data[: at - 4] + data[at + 8 + int.from_bytes(data[at - 4 : at], "big") :]
