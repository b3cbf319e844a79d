"""What the readers of the file formats have in common."""

from typing import NamedTuple

from realtime.errors import InvalidError
from realtime.images.metadata import UPRIGHT


class Picture(NamedTuple):
    """A file without metadata.

    Attributes:
        data: What is shown, whole by its structure.
        orientation: How it is to be turned, as Exif numbers it.
        frames: How many pictures it is made of; more than one moves.
        frame_pixels: What the frames claim to have together, where they may claim
            more than the whole picture has.
        is_ended: Whether the file had its end; if not, ``data`` has one, and its
            pixels may lack something.
    """

    data: bytes
    orientation: int = UPRIGHT
    frames: int = 1
    frame_pixels: int = 0
    is_ended: bool = True


def damaged() -> InvalidError:
    """Return the error for a file that is not whole."""
    return InvalidError(
        "The image is damaged or incomplete.",
        fields={"image": ["Is damaged or incomplete."]},
    )
