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
