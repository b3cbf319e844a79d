"""Pictures as browsers judge them: all made files, shown to Chromium and sent to us."""

from pathlib import Path

import pytest

from realtime.errors import ChatError
from realtime.images.decode import Decoded, Limits, decode_image
from tests.images.made_files import made_files
from tests.images.made_pictures import CAMERA
from tests.kit.chromium import Look, browser, looks

LIMITS = Limits(file_bytes=8_000_000, pixels=1_000_000, frame_pixels=10_000_000)

# Refused here: a browser shows what there is of a picture, the rest of it is grey.
CUT = {
    "jpg: cut before its last tenth",
    "jpg: progressive cut in half",
    "png: cut before its last tenth",
    "png: cut in half",
    "png: palette missing",
    "webp: cut in half",
    "webp: lacks two bytes",
    "webp: lossless cut in half",
    "webp: only its head",
    "gif: cut in half",
    "gif: lacks its last block's end",
    "gif: moving, cut in half",
    "gif: moving, cut in its last frame",
}

# A browser shows not all of them, and all of what is stored.
MENDED = {
    "jpg: lacks its end",
    "jpg: lacks half its end",
    "png: text between pixels",
    "webp: claims more than it has",
}

# Mean difference of a channel, of 255, that an encoder may make.
DIFFERENCE = 4


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    browser()
    return made_files()


def decoded(data: bytes) -> Decoded | None:
    try:
        return decode_image(data, LIMITS)
    except ChatError as error:
        assert error.code == "invalid"  # noqa: PT017 - the only refusal there may be
        return None


def difference(one: Look, other: Look) -> float:
    pairs = zip(one.pixels, other.pixels, strict=True)
    return sum(abs(a - b) for a, b in pairs) / len(one.pixels)


async def test_browsers_and_the_server_agree(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    """What a browser shows is taken, at the size that it is shown; nothing else is."""
    assert len(files) > 150
    ours = {what: decoded(data) for what, data in files.items()}
    seen = await looks(files, tmp_path)
    for what, found in ours.items():
        if what in CUT or what.startswith("heic:"):
            assert (found is None) is seen[what].shown, what
        elif found is None:
            assert not seen[what].shown, what
        else:
            assert seen[what][:3] == (True, found.width, found.height), what


async def test_what_is_stored_looks_the_same(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    """Upright as before, in the same colours, and nothing is left of the metadata."""
    stored: dict[str, bytes] = {}
    for what, data in files.items():
        found = decoded(data)
        if found is not None:
            stored[what] = found.data
            assert CAMERA not in found.data, what
            assert b"<script>" not in found.data, what
    before = await looks(files, tmp_path)
    after = await looks(stored, tmp_path)
    for what, look in after.items():
        if what.startswith("heic:"):
            assert look.shown, what
        else:
            assert look[:3] == before[what][:3], what
            if what not in MENDED:
                assert difference(look, before[what]) < DIFFERENCE, what
