"""Positions in a room's log: what a client resumes from and a node keeps track of."""

import re
from typing import NamedTuple

_CURSOR = re.compile(r"(0|[1-9][0-9]{0,15}):([A-Za-z0-9_-]{0,32})", re.ASCII)
_MESSAGE = re.compile(rb'\{"offset":([1-9][0-9]{0,15}),')
_LOG_EVENT = re.compile(
    rb'\["[a-z_]{1,32}",\{"offset":([1-9][0-9]{0,15}),"uid":"([A-Za-z0-9_-]{1,32})"'
)


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


def position_of(event: bytes) -> Position | None:
    """Return the position that an encoded event array carries.

    Events of the log begin with their offset and uid, in this order; None means that
    the event is not of the log (``read``, ``typing``, an application's own).
    """
    match = _LOG_EVENT.match(event)
    if match is None:
        return None
    return Position(int(match[1]), match[2].decode("ascii"))


def as_log_event(event: bytes) -> tuple[Position, bytes]:
    """Return an event read from the log with its position.

    Raises:
        ValueError: The entry is not an event of a log: the key was written by
            something else.
    """
    position = position_of(event)
    if position is None:
        raise ValueError("the room's log holds an entry that is no event")
    return position, event


def offset_of_message(message: bytes) -> int:
    """Return the offset of a message as the history keeps it, an encoded object.

    Raises:
        ValueError: It is no message: the key was written by something else.
    """
    match = _MESSAGE.match(message)
    if match is None:
        raise ValueError("the room's history holds an entry that is no message")
    return int(match[1])
