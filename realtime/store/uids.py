"""Uids of events: unguessable, and drawn many at a time."""

import base64
import os

UID_BYTES = 9
"""Random bytes of a uid: 72 bits, 12 characters. Two histories that grew apart agree
at one offset by chance once in 2**72."""

DRAWN_AT_ONCE = 256
"""Uids made of one system call."""


class Uids:
    """A supply of uids, of the characters ``A-Z a-z 0-9 _ -``."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def next(self) -> str:
        """Return one that was never returned before."""
        if not self._drawn:
            length = UID_BYTES * 4 // 3
            text = base64.urlsafe_b64encode(
                os.urandom(UID_BYTES * DRAWN_AT_ONCE)
            ).decode()
            self._drawn = [text[at : at + length] for at in range(0, len(text), length)]
        return self._drawn.pop()
