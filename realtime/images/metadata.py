"""What is kept of a picture's metadata: how it is turned, and its colour profile.

All else goes, places above all. What cannot be read is not there: so do browsers.
"""

import struct
from typing import Final

# The Exif orientation of a picture that is shown as it is stored.
UPRIGHT: Final = 1

# Orientations by which a viewer swaps width and height.
TURNED: Final = frozenset({5, 6, 7, 8})

# Entries of Exif data that are looked at; cameras write some fifty.
ENTRIES: Final = 1_000

_TAG: Final = 0x0112
_SHORT: Final = 3
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}


def orientation_of(exif: bytes) -> int:
    r"""Return the orientation that Exif data asks for, 1 to 8.

    Args:
        exif: A TIFF structure, as behind ``Exif\0\0`` in a JPEG.
    """
    order = _ORDERS.get(exif[:4])
    if order is None or len(exif) < 8:
        return UPRIGHT
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return UPRIGHT
    (count,) = struct.unpack_from(order + "H", exif, at)
    for entry in range(at + 2, at + 2 + 12 * min(count, ENTRIES), 12):
        if entry + 12 > len(exif):
            break
        tag, kind, values, value = struct.unpack_from(order + "HHIH", exif, entry)
        if tag == _TAG:
            is_valid = kind == _SHORT and values == 1 and 1 <= value <= 8
            return value if is_valid else UPRIGHT
    return UPRIGHT


def exif_of(orientation: int) -> bytes:
    """Return Exif data that says how a picture is turned, and nothing else."""
    entry = struct.pack(">HHIHH", _TAG, _SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def is_profile(data: bytes) -> bool:
    """Tell whether this may be an ICC profile: it begins as one and is whole."""
    return (
        len(data) >= 128
        and int.from_bytes(data[:4], "big") == len(data)
        and data[36:40] == b"acsp"
    )
