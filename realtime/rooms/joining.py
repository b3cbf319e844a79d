"""A join, from its request to its ack: subscribed first, then read, then entered.

The session gets every event from its cursor on, once and in order: what it missed is
in the ack, which is written in the step that puts it into the room's fan-out.
"""

from collections.abc import Callable
from typing import NamedTuple

import orjson

from realtime.errors import (
    ForbiddenError,
    NotAttendingError,
    TooLargeError,
    UnavailableError,
)
from realtime.pacing import Turnstile
from realtime.presence.roster import AttendingSession, Roster
from realtime.rooms.attempts import JoinAttempt, JoinAttempts
from realtime.rooms.attendance import Attendance
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.recovery import Past, Recovery
from realtime.store import events, keys
from realtime.store.membership import Memberships
from realtime.store.room_snapshot import RoomSnapshot, RoomSnapshots
from realtime.store.scripts import Admission
from realtime.tasks import gather_started

JOINS_A_TURN = 8
"""Joins begun in one turn of the event loop, some 3 ms of work. After a node's death
thousands come at once; messages of others pass between them."""

CATCH_UPS = 3
"""Readings of the log that one join waits for. The first may have been under way
before what the cursor is of was stored; the second was not."""

Present = Callable[[bytes], bytes]
"""Makes an event from the log fit to be shown now (fresh image URLs)."""


class _Answers(NamedTuple):
    """What Redis said of the room after the entry began."""

    admission: Admission
    state: RoomSnapshot
    past: Past


class Joining:
    """Sessions' way into the rooms' fan-out and presence.

    Args:
        feeds: The active rooms of this node.
        recovery: Finds what a session missed.
        memberships: Who belongs to which room.
        snapshots: Read marks and presence of rooms.
        roster: The rooms' session lists.
        attendance: This node's sessions in rooms.
        attempts: Joins on their way.
        present: Makes an event from the log fit to be shown now.
    """

    def __init__(
        self,
        *,
        feeds: RoomFeeds,
        recovery: Recovery,
        memberships: Memberships,
        snapshots: RoomSnapshots,
        roster: Roster,
        attendance: Attendance,
        attempts: JoinAttempts,
        present: Present,
    ) -> None:
        self._feeds = feeds
        self._recovery = recovery
        self._memberships = memberships
        self._snapshots = snapshots
        self._roster = roster
        self._attendance = attendance
        self._attempts = attempts
        self._present = present
        self._turns = Turnstile(JOINS_A_TURN)

    def held(self) -> dict[str, int]:
        """Return what is kept of joins, counted by kind."""
        return {**self._attempts.held(), "attending_turns": len(self._turns)}

    async def join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> "PendingJoin":
        """Prepare a session's entry.

        Of two joins of one session for one room the later one counts; the earlier
        one's ``finish`` raises.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again. A session
                that attended still does.
            NotAttendingError: The session ended meanwhile.
            TooLargeError: The session attends too many rooms.
            ForbiddenError: The user quit the room and comes back to it by a cursor.
        """
        with self._attempts.place(session, room):
            return await self._join(session, room, cursor)

    async def _join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> "PendingJoin":
        channel, sid = keys.channel(room), session.sid
        attended = self._attendance.attends(sid, room)
        attempt = self._attempts.begin(sid, room, attended=attended)
        try:
            if room not in session.rooms:
                await self._memberships.claim(room, session.user)
            feed = await self._hold(channel, cursor, attempt)
        except BaseException:
            self._attempts.end(sid, room, attempt)
            self._forget_if_out(session, room)
            raise
        # A session that joins again gets what it missed by its cursor, not twice.
        entry = feed.begin_entry()
        attempt.resume = self._attendance.interrupt(session, room, entry)
        self._attempts.admit(attempt, entry)

        def close() -> None:
            feed.end_entry(entry)
            self._attempts.end(sid, room, attempt)
            attempt.give_back()
            self._feeds.release(channel)
            self._forget_if_out(session, room)

        def enter() -> None:
            _require_live(session)
            self._attendance.enter(session, room)
            attempt.resume = None

        try:
            _require_live(session)
            answers = await self._ask(session, feed, entry, cursor)
            _require_live(session)
        except BaseException as error:
            if isinstance(error, ForbiddenError | TooLargeError):
                # The user is no member.
                attempt.resume = None
            close()
            raise
        return PendingJoin(
            user=session.user,
            enter=enter,
            close=close,
            feed=feed,
            entry=entry,
            answers=answers,
            present=self._present,
        )

    async def _hold(
        self, channel: str, cursor: str | None, attempt: JoinAttempt
    ) -> RoomFeed:
        """Hold a room that is as its log is, and not behind the cursor."""
        await self._turns.enter()
        feed = await self._feeds.hold(channel)
        try:
            # After a gap, what this node remembers may be of a past that Redis lost.
            # A session may have heard elsewhere what is still under way to this node.
            for _ in range(CATCH_UPS):
                if feed.live and not await self._recovery.is_ahead(feed, cursor):
                    break
                await self._feeds.catch_up(channel)
            else:
                raise UnavailableError("This node is behind; join again.")
            if attempt.superseded:
                raise UnavailableError("The session left meanwhile, or joined again.")
        except BaseException:
            self._feeds.release(channel)
            raise
        return feed

    async def _ask(
        self,
        session: AttendingSession,
        feed: RoomFeed,
        entry: Entry,
        cursor: str | None,
    ) -> _Answers:
        """Admit and list the session, and read the room, in one round trip.

        All but the past is sent when this is called; the past is often in memory.
        """
        admission, _, state, past = await gather_started(
            self._memberships.admit(
                feed.room, session.user, returning=cursor is not None
            ),
            self._roster.add(session, feed.room),
            self._snapshots.read(feed.room),
            self._recovery.past(feed, entry, cursor),
        )
        return _Answers(admission, state, past)

    def _forget_if_out(self, session: AttendingSession, room: str) -> None:
        """Do not leave a session listed whose join failed and has no successor."""
        sid = session.sid
        listed = room in session.rooms
        if listed and not (
            self._attempts.find(sid, room) or self._attendance.receives(sid, room)
        ):
            self._roster.forget(session, room)


class PendingJoin:
    """What :meth:`finish` turns into an ack and a session in the fan-out.

    ``finish`` or ``cancel`` must be called, once.

    Args:
        user: Whose session it is.
        enter: Puts the session into the fan-out.
        close: Releases the room's feed.
        feed: The room on this node.
        entry: Collects what passes until the end.
        answers: Where the user stands, and the events up to the entry's start.
        present: Applied to each event.
    """

    def __init__(
        self,
        *,
        user: str,
        enter: Callable[[], None],
        close: Callable[[], None],
        feed: RoomFeed,
        entry: Entry,
        answers: _Answers,
        present: Present,
    ) -> None:
        self._user = user
        self._enter = enter
        self._close = close
        self._feed = feed
        self._entry = entry
        self._answers = answers
        self._present = present

    def finish(self, allow: Callable[[int], None]) -> dict[str, object]:
        """Put the session into the fan-out and return its ack.

        Synchronous: the ack must be written in the same step. It then precedes the
        room's first live event, its ``events`` reach exactly up to that, and its
        ``reads`` and ``online`` are those of this moment.

        Args:
            allow: Given the bytes of the ack's events; raises if they are too many.

        Raises:
            UnavailableError: The room moved on too fast, its log broke, or the
                session asked again meanwhile.
            NotAttendingError: The session ended meanwhile.
        """
        entry, (admission, state, past) = self._entry, self._answers
        try:
            if entry.broken:
                raise UnavailableError("The room changed meanwhile; join again.")
            told = [*past.events, *entry.tail]
            allow(sum(map(len, told)))
            self._enter()
        finally:
            self._close()
        state.apply([*entry.notices, *entry.tail])
        last_read = max(admission.last_read_message, state.announced_mark(self._user))
        last_message = max(
            admission.last_message, events.last_message(entry.tail), last_read
        )
        return {
            "room": self._feed.room,
            "cursor": str(self._feed.position),
            "recovered": past.recovered,
            "events": [orjson.Fragment(self._present(event)) for event in told],
            "lastMessage": last_message,
            "lastReadMessage": last_read,
            "unread": last_message - last_read,
            **state.to_wire(),
        }

    def cancel(self) -> None:
        """Give the join up."""
        self._close()


def _require_live(session: AttendingSession) -> None:
    if session.ended:
        raise NotAttendingError("The connection ended.")
