"""A join, from its request to its ack: subscribed first, then read, then entered.

The session gets every event from its cursor on, once and in order: what it missed is
in the ack, which is written in the step that puts it into the room's fan-out.
"""

from collections.abc import Callable

from realtime.errors import (
    ForbiddenError,
    NotAttendingError,
    TooLargeError,
    UnavailableError,
)
from realtime.pacing import Turnstile
from realtime.presence.room_counts import RoomCounts
from realtime.presence.roster import AttendingSession, Roster
from realtime.rooms.allowance import Allowance
from realtime.rooms.attempts import JoinAttempt, JoinAttempts
from realtime.rooms.attendance import Attendance
from realtime.rooms.feed import RoomFeed
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.pending_join import Answers, PendingJoin, Present
from realtime.rooms.recovery import Asking, Recovery
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.room_snapshot import RoomSnapshots
from realtime.tasks import gather_started

# Joins begun in one turn of the event loop, some 3 ms of work. After a node's death
# thousands come at once; messages of others pass between them.
JOINS_A_TURN = 8


class _Entering:
    """A session between its admission and its ack: in, still on the way, or out again.

    Attributes:
        feed: The room on this node.
        entry: Collects what passes until the end.
    """

    def __init__(
        self,
        session: AttendingSession,
        feed: RoomFeed,
        attempt: JoinAttempt,
        *,
        attempts: JoinAttempts,
        attendance: Attendance,
        closed: Callable[[], None],
    ) -> None:
        self.feed = feed
        self.entry = feed.begin_entry()
        self._session = session
        self._attempt = attempt
        self._attempts = attempts
        self._attendance = attendance
        self._closed = closed
        # A session that joins again gets what it missed by its cursor, not twice.
        attempt.resume = attendance.interrupt(session, feed.room, self.entry)
        attempts.admit(attempt, self.entry)

    def enter(self, admitted_at: int) -> None:
        """Put the session into the fan-out."""
        _require_live(self._session)
        is_behind = self.feed.position.offset < admitted_at
        self._session.rooms[self.feed.room] = admitted_at if is_behind else 0
        self._attendance.enter(self._session, self.feed.room)
        self._attempt.resume = None

    def stay_out(self) -> None:
        """Have it attend no longer, if it did."""
        self._attempt.resume = None

    def close(self) -> None:
        """End the way in; whoever attended before and is not in now still does."""
        self.feed.end_entry(self.entry)
        self._attempts.end(self._session.sid, self.feed.room, self._attempt)
        self._attempt.give_back()
        self._closed()


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
        member_counts: Tells large rooms how many members they have.
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
        member_counts: RoomCounts,
    ) -> None:
        self._feeds = feeds
        self._recovery = recovery
        self._memberships = memberships
        self._snapshots = snapshots
        self._roster = roster
        self._attendance = attendance
        self._attempts = attempts
        self._present = present
        self._member_counts = member_counts
        self._turns = Turnstile(JOINS_A_TURN)

    def held(self) -> dict[str, int]:
        """Return what is kept of joins, counted by kind."""
        return {**self._attempts.held(), "attending_turns": len(self._turns)}

    async def join(
        self,
        session: AttendingSession,
        room: str,
        cursor: str | None,
        allowance: Allowance,
        invite: str | None = None,
    ) -> PendingJoin:
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
            asking = Asking(session.user, allowance)
            return await self._join(session, room, cursor, asking, invite)

    async def _join(
        self,
        session: AttendingSession,
        room: str,
        cursor: str | None,
        asking: Asking,
        invite: str | None,
    ) -> PendingJoin:
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

        def closed() -> None:
            self._feeds.release(channel)
            self._forget_if_out(session, room)

        entering = _Entering(
            *(session, feed, attempt),
            attempts=self._attempts,
            attendance=self._attendance,
            closed=closed,
        )
        try:
            _require_live(session)
            answers = await self._ask(session, entering, cursor, asking, invite)
            if answers.admission.deletion > feed.position.offset:
                # What was read may have the words that this node is to hear the end of.
                await self._feeds.catch_up(channel)
            _require_live(session)
        except BaseException as error:
            if isinstance(error, ForbiddenError | TooLargeError):
                # The user is no member.
                entering.stay_out()
            entering.close()
            raise
        return PendingJoin(
            session.user, entering, answers, asking.allowance, self._present
        )

    async def _hold(
        self, channel: str, cursor: str | None, attempt: JoinAttempt
    ) -> RoomFeed:
        """Hold a room that is as its log is, and not behind the cursor."""
        await self._turns.enter()
        feed = await self._feeds.hold(channel)
        try:
            if not await self._recovery.reaches(self._feeds, channel, feed, cursor):
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
        entering: _Entering,
        cursor: str | None,
        asking: Asking,
        invite: str | None,
    ) -> Answers:
        """Admit and list the session, and read the room, in one round trip.

        All but the past is sent when this is called; the past is often in memory. In a
        cluster the session is listed a round trip later, and the room is read then.
        """
        feed = entering.feed
        room = feed.room
        started = [
            self._memberships.admit(
                *(room, session.user), returning=cursor is not None, invite=invite
            ),
            self._roster.add(session, room),
            self._recovery.past(feed, entering.entry, cursor, asking),
        ]
        if self._roster.lists_later:
            admission, _, past = await gather_started(*started)
            state = await self._snapshots.read(room)
        else:
            admission, _, past, state = await gather_started(
                *started, self._snapshots.read(room)
            )
        if admission.new and not state.is_listed:
            self._member_counts.changed(feed.room)
        return Answers(admission, state, past)

    def _forget_if_out(self, session: AttendingSession, room: str) -> None:
        """Do not leave a session listed whose join failed and has no successor."""
        sid = session.sid
        listed = room in session.rooms
        if listed and not (
            self._attempts.find(sid, room) or self._attendance.receives(sid, room)
        ):
            self._roster.forget(session, room)


def _require_live(session: AttendingSession) -> None:
    if session.ended:
        raise NotAttendingError("The connection ended.")
