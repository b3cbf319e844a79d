"""Well over a hundred pictures, whole and odd, as cameras and programs write them.

Made anew for each run, so that it can be read what each of them is.
"""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import pillow_heif
from PIL import Image, ImageCms, ImageDraw

SIZE = (64, 40)
"""Wider than high: a picture that was turned shows by its size."""

CAMERA = b"Camera of somebody"
"""Found in metadata, and nowhere else."""

ORIENTATIONS = range(1, 9)


def shapes(
    size: tuple[int, int] = SIZE, mode: str = "RGB", shift: int = 0
) -> Image.Image:
    """Return a picture in which no two corners look alike."""
    image = Image.new("RGB", size, "teal")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] // 3, size[1] // 3), "red")
    left = size[0] // 2 + shift
    draw.ellipse((left, 2, left + size[0] // 3, 2 + size[1] // 2), "yellow")
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
        return image
    return image.convert(mode)


def saved(form: str, image: Image.Image | None = None, **options: object) -> bytes:
    """Return a picture as a file."""
    file = io.BytesIO()
    (image or shapes()).save(file, form, **options)
    return file.getvalue()


def tiff(
    orientation: int, *, order: str = "<", kind: int = 3, extra: bytes = b""
) -> bytes:
    """Return Exif's TIFF structure with one entry, the orientation."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    value = (
        struct.pack(order + "HH", orientation, 0)
        if kind == 3
        else struct.pack(order + "I", orientation)
    )
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value
    return head + struct.pack(order + "H", 1) + entry + bytes(4) + extra


def place() -> bytes:
    """Return Exif data that says where a picture was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = CAMERA.decode()
    exif.get_ifd(0x8825).update(
        {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    )
    return exif.tobytes().removeprefix(b"Exif\0\0")


XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 tiff:Orientation="6"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


# JPEG


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


# PNG


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


# WebP


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


# GIF


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


# AVIF and HEIC


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


def heic(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=80, **options)
    return file.getvalue()


_FORMS: dict[str, Callable[[], Iterator[tuple[str, bytes]]]] = {
    "jpg": jpegs,
    "png": pngs,
    "webp": webps,
    "gif": gifs,
    "avif": avifs,
    "heic": heics,
}


def made_files() -> dict[str, bytes]:
    """Return all of them by what they are: ``jpg: plain``."""
    return {
        f"{form}: {what}": data
        for form, make in _FORMS.items()
        for what, data in make()
    }
