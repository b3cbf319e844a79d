"""Where a client is in the log of a room."""

import asyncio
from dataclasses import dataclass, field


@dataclass(eq=False)
class Position:
    """A room, and where in its log this client is.

    Attributes:
        room: Its id.
        cursor: Of the last event that was shown; None before the first join.
        offset: The offset in it.
        last_message: The highest message number known.
        moved: Set whenever the client has gone on.
    """

    room: str
    cursor: str | None = None
    offset: int = 0
    last_message: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)
