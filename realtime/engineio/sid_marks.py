"""The part of a session's id that may tell which process made it."""

import base64
from typing import Final

# The first half of the counter behind the random bytes: the 17th and 18th character.
MARK_BITS: Final = 12


def mark_of(sid: str | bytes) -> int:
    """Return the mark in an id of 20 characters, which need not be one of ours."""
    return int.from_bytes(base64.urlsafe_b64decode(sid)[12:14], "big") >> 4
