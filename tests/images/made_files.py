"""Well over a hundred pictures, whole and odd, as cameras and programs write them.

Made anew for each run, so that it can be read what each of them is.
"""

from collections.abc import Callable, Iterator

from tests.images.made_jpegs import jpegs
from tests.images.made_others import avifs, gifs, heics, webps
from tests.images.made_pngs import pngs

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
