"""The process that decodes images: a hostile one harms nothing but this process.

Its memory and its processor time are bounded, and it knows none of the node's secrets.
It ends when the node closes its input or dies, at the latest after the image that it is
at. ``realtime.images.decoder_pool`` starts it and speaks with it::

    → 4 bytes: how many follow; the image
    ← a line of JSON: what the image is, or why it is refused; the files to be stored
"""

import json
import math
import resource
import signal
import struct
import sys
import time
import warnings
from contextlib import suppress
from typing import Final

from PIL import Image

from realtime.errors import InvalidError, TooLargeError
from realtime.images.decode import Limits, decode_image

# What goes before an image: its size in bytes.
LENGTH: Final = struct.Struct(">I")

# The first line: from here on an end of this process is the doing of an image.
READY: Final = b"ready\n"


def main(limits: Limits, memory_bytes: int, cpu_seconds: int) -> None:
    """Answer for one image after another until the input ends.

    Args:
        limits: Of an image.
        memory_bytes: Most memory of this process, of addresses and not only of pages.
        cpu_seconds: Most processor time for one image; over it the process is ended.
    """
    # The node may be told to stop while it finishes what is under way.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    # Pillow has a word for each odd entry of an Exif block, and its own limit of
    # pixels, which it checks before it takes memory: an error above twice this.
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = math.ceil(limits.pixels / 2)
    _write(READY)
    while head := sys.stdin.buffer.read(LENGTH.size):
        data = sys.stdin.buffer.read(*LENGTH.unpack(head))
        spent_seconds = math.ceil(time.process_time())
        _limit(resource.RLIMIT_CPU, spent_seconds + cpu_seconds)
        _write(*_answer(data, limits))


def _answer(data: bytes, limits: Limits) -> list[bytes]:
    said: dict[str, object]
    files: list[bytes] = []
    try:
        found = decode_image(data, limits)
    except (InvalidError, TooLargeError) as error:
        said = {"code": error.code, "message": error.message}
        said |= {"fields": error.fields, "limit": error.limit}
    else:
        said = found._asdict()
        del said["data"]
        said["thumbnails"] = [each[:2] for each in found.thumbnails]
        files = [found.data, *(each.data for each in found.thumbnails)]
        said["sizes"] = list(map(len, files))
    return [json.dumps(said).encode() + b"\n", *files]


def _write(*parts: bytes) -> None:
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def _limit(what: int, most: int) -> None:
    """Set a limit that this process may move later; not every system has each one.

    macOS may refuse one of memory: the bounds on pixels and time hold there alone.
    """
    with suppress(ValueError, OSError):
        resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


if __name__ == "__main__":
    # The node that asked may be gone: nobody reads the answer, nor a traceback.
    with suppress(BrokenPipeError, struct.error):
        *numbers, memory, seconds = map(int, sys.argv[1:])
        main(Limits(*numbers), memory, seconds)
