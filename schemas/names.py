"""What people are called and shown by: a name and a picture, as tokens tell of them.

Both are a nicety that identity providers put all kinds of things into. What cannot be
shown is left out; it never locks anybody out.
"""

import re
from typing import Any, Final

from marshmallow import ValidationError

from schemas.base import UNCLEAN, StrictField
from schemas.field_types import TRIMMED, TURNING, VISIBLE

# Code points of a display name: it is shown in one line.
NAME_CHARACTERS: Final = 100

# Characters of a picture's address; it is sent with each lookup of a user.
PICTURE_CHARACTERS: Final = 512

# Printable ASCII without what could end an attribute or a CSS address: browsers write
# all else of an address in percent.
PICTURE_PATTERN: Final = re.compile(r"https://[\w.~:/?#@!$&*+,;=%\[\]-]+", re.ASCII)


class DisplayName(StrictField):
    """1-100 characters of any script, one of them visible; neither controls nor turns.

    It is text: nothing in it is markup, and two users may have the same.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        name = self._string(value).strip(TRIMMED)
        if not 1 <= len(name) <= NAME_CHARACTERS:
            raise ValidationError(f"Must be 1 to {NAME_CHARACTERS} characters.")
        if UNCLEAN.search(name) or TURNING.search(name):
            raise ValidationError("Must have no control characters.")
        if not VISIBLE.search(name):
            raise ValidationError("Must have something visible.")
        return name


class Picture(StrictField):
    """The address of a picture, ``https`` and at most 512 characters."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        address = self._string(value)
        if len(address) > PICTURE_CHARACTERS:
            raise ValidationError(f"Must be {PICTURE_CHARACTERS} characters or fewer.")
        if not PICTURE_PATTERN.fullmatch(address):
            raise ValidationError("Must be an https address.")
        return address
