"""What made files are made of: pictures, Exif data, profiles."""

import io
import struct

import pillow_heif
from PIL import Image, ImageCms, ImageDraw

# Wider than high: a picture that was turned shows by its size.
SIZE = (64, 40)

# Found in metadata, and nowhere else.
CAMERA = b"Camera of somebody"

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


def heic(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=80, **options)
    return file.getvalue()
