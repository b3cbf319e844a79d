"""Positions in a room's log: what a client resumes from and a node keeps track of."""

import base64
import os
import re
from typing import NamedTuple

# Random bytes of a uid: 72 bits, 12 characters. Two histories that grew apart agree at
# one offset by chance once in 2**72.
UID_BYTES = 9
# Uids made of one system call.
UIDS_AT_ONCE = 256

_CURSOR = re.compile(r"(0|[1-9][0-9]{0,15}):([A-Za-z0-9_-]{0,32})", re.ASCII)


class Position(NamedTuple):
    """An event's offset and its uid; ``(0, "")`` is before the first event.

    The uid proves lineage: a log that holds another event at this offset has lost
    what the position stands for.
    """

    offset: int
    uid: str

    def __str__(self) -> str:
        return f"{self.offset}:{self.uid}"


START = Position(0, "")


def parse_cursor(text: str) -> Position | None:
    """Return the position that a client's cursor names, None if malformed."""
    match = _CURSOR.fullmatch(text)
    if match is None:
        return None
    position = Position(int(match[1]), match[2])
    if (position.offset == 0) != (position.uid == ""):
        return None
    return position


class Uids:
    """A supply of unguessable uids, of the characters ``A-Z a-z 0-9 _ -``."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def next(self) -> str:
        """Return one that was never returned before."""
        if not self._drawn:
            length = UID_BYTES * 4 // 3
            drawn = os.urandom(UID_BYTES * UIDS_AT_ONCE)
            text = base64.urlsafe_b64encode(drawn).decode()
            self._drawn = [text[at : at + length] for at in range(0, len(text), length)]
        return self._drawn.pop()
