"""Pictures that tests make: whole ones, and ones that keep a decoder busy."""

import io

from PIL import Image


def picture(
    format_name: str,
    size: tuple[int, int] = (40, 30),
    *,
    mode: str = "RGB",
    **options: object,
) -> bytes:
    """Return a picture of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, "teal").save(file, format_name, **options)
    return file.getvalue()


def with_scans(data: bytes, more: int) -> bytes:
    """Return a progressive JPEG that says its last scan again and again."""
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * more + data[-2:]


def with_comments(data: bytes, more: int) -> bytes:
    """Return a GIF with comments of one letter: each takes 170 bytes to read."""
    flags = data[10]
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    return data[:at] + b"\x21\xfe\x01x\0" * more + data[at:]
