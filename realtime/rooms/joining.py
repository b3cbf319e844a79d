"""Wishes: joins that are on their way, from their request to their ack."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.errors import TooLargeError
from realtime.presence.roster import AttendingSession
from realtime.rooms.feed import Entry


class Wish:
    """A session's wish to enter a room.

    Attributes:
        attended: Whether it attended before: a join does not interrupt that.
        entry: Collects what passes, once the user's admission was sent to Redis.
        since: The moment of its beginning, or of that admission.
        void: Whether a later join or leave of the session took its place.
    """

    __slots__ = ("attended", "entry", "since", "void")

    def __init__(self, *, attended: bool, since: int) -> None:
        self.attended = attended
        self.entry: Entry | None = None
        self.since = since
        self.void = False

    def cancel(self) -> None:
        """Let something later take its place."""
        self.void = True
        if self.entry is not None:
            self.entry.broken = True


class Wishes:
    """The wishes of all sessions: one a session and room, the last one.

    Args:
        session_rooms_limit: Rooms that one session may attend, wishes included.
    """

    def __init__(self, session_rooms_limit: int) -> None:
        self._limit = session_rooms_limit
        self._wishes: dict[tuple[str, str], Wish] = {}
        # By sid, the joins under way of rooms that were not among the session's.
        self._coming: dict[str, Counter[str]] = {}
        self._moment = 0

    def held(self) -> dict[str, int]:
        """Return what is kept of joins under way, counted by kind."""
        return {
            "attending_wishes": len(self._wishes),
            "attending_coming": len(self._coming),
        }

    def moment(self) -> int:
        """Return a number for now: higher than all before."""
        self._moment += 1
        return self._moment

    def find(self, sid: str, room: str) -> Wish | None:
        """Return a session's wish to enter a room, if it has one."""
        return self._wishes.get((sid, room))

    def begin(self, sid: str, room: str, *, attended: bool) -> Wish:
        """Return a new wish; an earlier one for the room is cancelled."""
        self.cancel(sid, room)
        wish = Wish(attended=attended, since=self.moment())
        self._wishes[sid, room] = wish
        return wish

    def enter(self, wish: Wish, entry: Entry) -> None:
        """Take note that the user is being admitted, in the step that sends it."""
        wish.entry = entry
        wish.since = self.moment()

    def cancel(self, sid: str, room: str) -> None:
        """Cancel a session's wish to enter a room, if it has one."""
        wish = self._wishes.pop((sid, room), None)
        if wish is not None:
            wish.cancel()

    def end(self, sid: str, room: str, wish: Wish) -> None:
        """Forget a wish that came true or failed, unless a later one replaced it."""
        if self._wishes.get((sid, room)) is wish:
            del self._wishes[sid, room]

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
