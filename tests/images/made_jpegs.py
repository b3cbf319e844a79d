"""JPEG files, whole and odd."""

import struct
from collections.abc import Iterator

from tests.images.made_pictures import (
    ORIENTATIONS,
    SRGB,
    XMP,
    place,
    saved,
    shapes,
    tiff,
)


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """Put segments behind a JPEG's start."""
    return data[:2] + b"".join(segments) + data[2:]


def exif_segment(data: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + data)


def xmp_segment(data: bytes = XMP) -> bytes:
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + data)


def jpegs() -> Iterator[tuple[str, bytes]]:
    plain = saved("JPEG")
    progressive = saved("JPEG", progressive=True)
    yield "plain", plain
    yield "progressive", progressive
    yield "grey", saved("JPEG", shapes(mode="L"))
    yield "CMYK", saved("JPEG", shapes(mode="CMYK"))
    yield "full colour", saved("JPEG", subsampling=0)
    yield "restarts", saved("JPEG", restart_marker_blocks=1)
    yield "one pixel", saved("JPEG", shapes((1, 1)))
    for number in ORIENTATIONS:
        yield f"orientation {number}", with_segments(plain, exif_segment(tiff(number)))
    yield (
        "orientation of a Motorola",
        with_segments(plain, exif_segment(tiff(6, order=">"))),
    )
    yield "orientation 0", with_segments(plain, exif_segment(tiff(0)))
    yield "orientation 9", with_segments(plain, exif_segment(tiff(9)))
    yield "orientation as a long", with_segments(plain, exif_segment(tiff(6, kind=4)))
    yield "orientation as a byte", with_segments(plain, exif_segment(tiff(6, kind=1)))
    two = tiff(6).replace(b"\x03\0\x01\0", b"\x03\0\x02\0")
    yield "two orientations in one entry", with_segments(plain, exif_segment(two))
    yield "orientation behind JFIF", plain[:20] + exif_segment(tiff(6)) + plain[20:]
    yield (
        "two orientations",
        with_segments(plain, exif_segment(tiff(6)), exif_segment(tiff(1))),
    )
    yield (
        "two orientations, other order",
        with_segments(plain, exif_segment(tiff(1)), exif_segment(tiff(6))),
    )
    yield "orientation in XMP", with_segments(plain, xmp_segment())
    yield (
        "orientation in XMP, another in Exif",
        with_segments(plain, exif_segment(tiff(1)), xmp_segment()),
    )
    yield (
        "broken Exif first",
        with_segments(plain, exif_segment(b"junk"), exif_segment(tiff(6))),
    )
    yield (
        "orientation before junk",
        with_segments(plain, exif_segment(tiff(6, extra=b"\xff" * 999))),
    )
    yield "orientation cut", with_segments(plain, exif_segment(tiff(6)[:18]))
    yield "orientation without an end", with_segments(plain, exif_segment(tiff(6)[:22]))
    yield "place", with_segments(plain, exif_segment(place()))
    yield "Exif of junk", with_segments(plain, exif_segment(b"\xff" * 50))
    yield (
        "Exif that points nowhere",
        with_segments(plain, exif_segment(b"MM\0*\xff\xff\xff\xff")),
    )
    yield "Exif of nothing", with_segments(plain, exif_segment(b""))
    yield (
        "Exif of many entries",
        with_segments(plain, exif_segment(b"II*\0\x08\0\0\0\xff\xff" + b"\x01" * 99)),
    )
    yield "comment", with_segments(plain, segment(0xFE, b"a comment"))
    yield "profile", saved("JPEG", icc_profile=SRGB)
    yield "profile of junk", saved("JPEG", icc_profile=b"\xff" * 60_000)
    yield (
        "profile of half its parts",
        with_segments(plain, segment(0xE2, b"ICC_PROFILE\0\x02\x02" + SRGB[:99])),
    )
    yield (
        "Photoshop's block",
        with_segments(plain, segment(0xED, b"Photoshop 3.0\0" + b"\xff" * 99)),
    )
    yield "without JFIF", plain[:2] + plain[20:]
    yield "filled markers", with_segments(plain, b"\xff\xff\xff")
    yield "lacks its end", plain[:-2]
    yield "lacks half its end", plain[:-1]
    yield "progressive that lacks its end", progressive[:-2]
    yield "zeros behind", plain + bytes(500)
    yield "text behind", plain + b"<script>alert(1)</script>"
    yield "another behind", plain + progressive
    yield (
        "several pictures",
        saved("MPO", shapes(), save_all=True, append_images=[shapes(shift=5)]),
    )
    yield (
        "junk between segments",
        with_segments(plain, segment(0xEC, b"x"), b"\x00\x12"),
    )
    yield "cut in half", plain[: len(plain) // 2]
    yield "cut before its last tenth", plain[: -len(plain) // 10]
    yield "progressive cut in half", progressive[: len(progressive) // 2]
    yield "only its head", plain[:200]
    yield "two bytes", plain[:2]
