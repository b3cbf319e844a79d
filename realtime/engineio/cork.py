"""Frames that wait a moment for what follows, so that both leave in one write.

A system call is the dearest part of a small message. A caller that knows of more to
be written corks the server; frames that may wait are then kept, and leave with the
next write to their session, or on their own when the server is uncorked.
"""

from realtime.engineio.interfaces import FrameWriter


class Cork:
    """The frames that wait, of all sessions of a server; as ``TCP_CORK`` for one.

    A caller that sets ``is_corked`` calls :meth:`uncork` in the next turn of the event
    loop: nothing waits longer. ``frames`` holds what waits. A broadcast takes it along
    behind itself; every other write must begin with what this has of its session.
    """

    __slots__ = ("frames", "is_corked")

    def __init__(self) -> None:
        self.is_corked = False
        self.frames: dict[FrameWriter, bytes] = {}

    def append(self, session: FrameWriter, frame: bytes) -> None:
        """Keep a frame, behind those of the session that are kept already."""
        self.frames[session] = self.frames.get(session, b"") + frame

    def flush(self, session: FrameWriter) -> None:
        """Write what is kept of a session."""
        if self.frames and (kept := self.frames.pop(session, None)):
            session.write_frames(kept)

    def uncork(self) -> None:
        """Write all that is kept."""
        self.is_corked = False
        while self.frames:
            session, kept = self.frames.popitem()
            session.write_frames(kept)
