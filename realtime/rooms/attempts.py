"""Joins that are on their way, from their request to their ack: the last one counts."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from realtime.errors import TooLargeError
from realtime.presence.roster import AttendingSession
from realtime.rooms.feed import Entry


class JoinAttempt:
    """A session's attempt to enter a room.

    Attributes:
        attended: Whether it attended before: a join does not interrupt that.
        entry: Collects what passes, once the user's admission was sent to Redis.
        resume: Puts the session back where it attended, with what passed since; None:
            it was not taken out.
        since: The :meth:`JoinAttempts.tick` of its beginning, or of that admission.
        superseded: Whether a later join or leave of the session took its place.
    """

    __slots__ = ("attended", "entry", "resume", "since", "superseded")

    def __init__(self, *, attended: bool, since: int) -> None:
        self.attended = attended
        self.entry: Entry | None = None
        self.resume: Callable[[], None] | None = None
        self.since = since
        self.superseded = False

    def give_back(self) -> None:
        """Put the session back where it attended, once at most."""
        resume, self.resume = self.resume, None
        if resume is not None:
            resume()

    def supersede(self) -> None:
        """Let something later take its place."""
        self.superseded = True
        self.resume = None
        if self.entry is not None:
            self.entry.broken = True


class JoinAttempts:
    """The attempts of all sessions: one a session and room, the last one.

    Args:
        session_rooms_limit: Rooms that one session may attend, attempts included.
    """

    def __init__(self, session_rooms_limit: int) -> None:
        self._limit = session_rooms_limit
        self._attempts: dict[tuple[str, str], JoinAttempt] = {}
        # By sid, the joins under way of rooms that were not among the session's.
        self._coming: dict[str, Counter[str]] = {}
        self._ticks = 0

    def held(self) -> dict[str, int]:
        """Return what is kept of joins under way, counted by kind."""
        return {
            "attending_wishes": len(self._attempts),
            "attending_coming": len(self._coming),
        }

    def tick(self) -> int:
        """Return a number for this moment: higher than all before (a Lamport clock)."""
        self._ticks += 1
        return self._ticks

    def find(self, sid: str, room: str) -> JoinAttempt | None:
        """Return a session's attempt to enter a room, if there is one."""
        return self._attempts.get((sid, room))

    def begin(self, sid: str, room: str, *, attended: bool) -> JoinAttempt:
        """Return a new attempt; an earlier one for the room is superseded."""
        self.supersede(sid, room, give_back=True)
        attempt = JoinAttempt(attended=attended, since=self.tick())
        self._attempts[sid, room] = attempt
        return attempt

    def admit(self, attempt: JoinAttempt, entry: Entry) -> None:
        """Take note that the user is being admitted, in the step that sends it."""
        attempt.entry = entry
        attempt.since = self.tick()

    def supersede(self, sid: str, room: str, *, give_back: bool = False) -> None:
        """End a session's attempt to enter a room, if there is one.

        Args:
            sid: The session.
            room: The room.
            give_back: Whether it attends as before, if the attempt interrupted that.
        """
        attempt = self._attempts.pop((sid, room), None)
        if attempt is not None:
            if give_back:
                attempt.give_back()
            attempt.supersede()

    def end(self, sid: str, room: str, attempt: JoinAttempt) -> None:
        """Forget an attempt that is over, unless a later one replaced it."""
        if self._attempts.get((sid, room)) is attempt:
            del self._attempts[sid, room]

    @contextmanager
    def place(self, session: AttendingSession, room: str) -> Iterator[None]:
        """Keep a place for one more room, so that joins at once keep to the limit.

        Raises:
            TooLargeError: The session attends too many rooms.
        """
        if room in session.rooms:
            yield
            return
        coming = self._coming.get(session.sid) or Counter()
        # From its admission on, a room that is coming is among the session's as well.
        others = sum(each != room and each not in session.rooms for each in coming)
        if len(session.rooms) + others >= self._limit:
            raise TooLargeError(
                f"A session may attend {self._limit} rooms; leave one.",
                limit="session_rooms",
            )
        self._coming[session.sid] = coming
        coming[room] += 1
        try:
            yield
        finally:
            coming[room] -= 1
            if not coming[room]:
                del coming[room]
            if not coming:
                del self._coming[session.sid]
