"""Frames that wait a moment for what follows, so that both leave in one write.

A system call is the dearest part of a small message. Whoever knows that more is about
to be written puts the cork in; frames that may wait are then kept, and leave with the
next write to their session, or on their own when the cork is pulled.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime.engineio.session import Session


class Cork:
    """The frames that wait, of all sessions of a server.

    Whoever sets ``is_in`` calls :meth:`pull` in the next turn of the event loop:
    nothing waits longer. ``frames`` holds what waits. A broadcast takes it along behind
    itself; every other write must begin with what this has of its session.
    """

    __slots__ = ("frames", "is_in")

    def __init__(self) -> None:
        self.is_in = False
        self.frames: dict[Session, bytes] = {}

    def keep(self, session: "Session", frame: bytes) -> None:
        """Keep a frame, behind those of the session that are kept already."""
        self.frames[session] = self.frames.get(session, b"") + frame

    def release(self, session: "Session") -> None:
        """Write what is kept of a session."""
        if self.frames and (kept := self.frames.pop(session, None)):
            session.send_rest(kept)

    def pull(self) -> None:
        """Write all that is kept."""
        self.is_in = False
        while self.frames:
            session, kept = self.frames.popitem()
            session.send_rest(kept)
