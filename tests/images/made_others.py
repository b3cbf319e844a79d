"""WebP, GIF, AVIF and HEIC files, whole and odd."""

import struct
from collections.abc import Iterator

from tests.images.made_pictures import (
    ORIENTATIONS,
    SIZE,
    SRGB,
    XMP,
    heic,
    place,
    saved,
    shapes,
    tiff,
)


def riff(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def webp(*chunks: bytes, claimed: int = 0) -> bytes:
    """Return a WebP of chunks; ``claimed`` is added to the size that it claims."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) + claimed) + body


def extended(flags: int) -> bytes:
    width, height = SIZE
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return riff(b"VP8X", bytes((flags, 0, 0, 0)) + size)


HAS_ICC, HAS_EXIF, HAS_XMP = 0x20, 0x08, 0x04


def webps() -> Iterator[tuple[str, bytes]]:
    lossy, lossless = saved("WEBP"), saved("WEBP", lossless=True)
    vp8, vp8l = lossy[12:], lossless[12:]
    yield "lossy", lossy
    yield "lossless", lossless
    yield "see-through", saved("WEBP", shapes(mode="RGBA"))
    yield "see-through lossless", saved("WEBP", shapes(mode="RGBA"), lossless=True)
    yield "moving", saved("WEBP", save_all=True, append_images=[shapes(shift=5)])
    for number in ORIENTATIONS:
        yield (
            f"orientation {number}",
            webp(extended(HAS_EXIF), vp8, riff(b"EXIF", tiff(number))),
        )
    yield (
        "orientation with Exif's name",
        webp(extended(HAS_EXIF), vp8, riff(b"EXIF", b"Exif\0\0" + tiff(6))),
    )
    yield "orientation without a flag", webp(extended(0), vp8, riff(b"EXIF", tiff(6)))
    yield (
        "orientation before the pixels",
        webp(extended(HAS_EXIF), riff(b"EXIF", tiff(6)), vp8),
    )
    yield "orientation in XMP", webp(extended(HAS_XMP), vp8, riff(b"XMP ", XMP))
    yield (
        "orientation, lossless",
        webp(extended(HAS_EXIF), vp8l, riff(b"EXIF", tiff(6))),
    )
    yield "place", webp(extended(HAS_EXIF), vp8, riff(b"EXIF", place()))
    yield "broken Exif", webp(extended(HAS_EXIF), vp8, riff(b"EXIF", b"\xff" * 31))
    yield "empty Exif", webp(extended(HAS_EXIF), vp8, riff(b"EXIF", b""))
    yield "cut Exif", webp(extended(HAS_EXIF), vp8, riff(b"EXIF", tiff(6)[:18]))
    yield "profile", saved("WEBP", icc_profile=SRGB)
    yield "profile of junk", webp(extended(HAS_ICC), riff(b"ICCP", b"\xff" * 30), vp8)
    yield "flags without chunks", webp(extended(HAS_ICC | HAS_EXIF | HAS_XMP), vp8)
    yield "unknown chunk", webp(extended(0), riff(b"XXXX", b"hello"), vp8)
    yield "unknown chunk behind", webp(extended(0), vp8, riff(b"XXXX", b"hello"))
    yield "text behind", lossy + b"<script>alert(1)</script>"
    yield "claims less than it has", webp(vp8, claimed=-10)
    yield "claims more than it has", webp(vp8, claimed=10)
    yield "lacks two bytes", lossy[:-2]
    yield "cut in half", lossy[: len(lossy) // 2]
    yield "lossless cut in half", lossless[: len(lossless) // 2]
    yield "only its head", lossy[:30]
    yield (
        "another size than it says",
        webp(extended(0).replace(b"\x3f\0\0", b"\x7f\0\0"), vp8),
    )


def gifs() -> Iterator[tuple[str, bytes]]:
    plain = saved("GIF", interlace=0)
    moving = saved(
        "GIF",
        save_all=True,
        append_images=[shapes(shift=n) for n in range(1, 9)],
        loop=0,
    )
    yield "plain", plain
    yield "interlaced", saved("GIF", interlace=1)
    yield "87a", b"GIF87a" + plain[6:]
    yield "see-through", saved("GIF", shapes(mode="P"), transparency=0)
    yield "moving", moving
    yield "comment", saved("GIF", comment=b"hello")
    yield (
        "XMP",
        with_extension(
            plain,
            b"\x21\xff\x0bXMP DataXMP"
            + XMP
            + b"\x01"
            + bytes(range(255, -1, -1))
            + b"\0",
        ),
    )
    yield "text behind", plain + b"<script>alert(1)</script>"
    yield "lacks its end", plain[:-1]
    yield "moving, lacks its end", moving[:-1]
    yield "lacks its last block's end", plain[:-2]
    yield "cut in half", plain[: len(plain) // 2]
    yield "moving, cut in half", moving[: len(moving) // 2]
    yield "moving, cut in its last frame", moving[:-20]
    yield "only its head", plain[:13]
    yield "frame beyond its canvas", plain[:6] + struct.pack("<HH", 20, 20) + plain[10:]
    yield (
        "frame within its canvas",
        plain[:6] + struct.pack("<HH", 100, 100) + plain[10:],
    )
    yield "no size", plain[:6] + bytes(4) + plain[10:]
    yield "89a, no size", b"GIF89a" + bytes(4) + plain[10:]
    yield "89a, frame beyond its canvas", b"GIF89a" + b"\x14\0\x14\0" + plain[10:]
    yield "moving, frame beyond its canvas", moving[:6] + b"\x14\0\x14\0" + moving[10:]


def with_extension(data: bytes, extension: bytes) -> bytes:
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at] + extension + data[at:]


def avifs() -> Iterator[tuple[str, bytes]]:
    plain = saved("AVIF")
    yield "plain", plain
    yield "see-through", saved("AVIF", shapes(mode="RGBA"))
    yield "profile", saved("AVIF", icc_profile=SRGB)
    for number in ORIENTATIONS:
        yield f"orientation {number}", saved("AVIF", exif=b"Exif\0\0" + tiff(number))
    yield "place", saved("AVIF", exif=place())
    yield (
        "orientation without its name",
        saved("AVIF", exif=tiff(6)),
    )
    yield "moving", saved("AVIF", save_all=True, append_images=[shapes(shift=5)])
    yield "cut in half", plain[: len(plain) // 2]
    yield "text behind", plain + b"<script>alert(1)</script>"


def heics() -> Iterator[tuple[str, bytes]]:
    """Return what no browser but Safari shows."""
    yield "plain", heic(shapes())
    yield "see-through", heic(shapes(mode="RGBA"))
    yield "place", heic(shapes(), exif=place())
