"""Attendance: how a session enters a room with nothing missed, and leaves it."""

from realtime.errors import NotAttendingError, UnavailableError
from realtime.in_turn import in_turn
from realtime.pacing import Turnstile
from realtime.presence.roster import AttendingSession, SessionLists
from realtime.rooms.feed import RoomFeed
from realtime.rooms.joining import Wish, Wishes
from realtime.rooms.pending_join import PendingJoin, Present
from realtime.rooms.recovery import Recovery
from realtime.socketio.manager import ChatroomManager
from realtime.store import keys
from realtime.store.membership import Rooms
from realtime.store.room_state import RoomStates

JOINS_A_TURN = 8
"""Joins begun in one turn of the event loop, some 3 ms of work. After a node's death
thousands come at once; messages of others pass between them."""

CATCH_UPS = 3
"""Readings of the log that one join waits for. The first may have been under way
before what the cursor is of was stored; the second was not."""


class Attendance:
    """Sessions' way into, and out of, the rooms' fan-out and presence.

    Args:
        manager: Holds the rooms' sessions of this node.
        recovery: Finds what a session missed.
        rooms: Membership.
        states: Read marks and presence of rooms.
        lists: The rooms' session lists.
        present: Makes an event from the log fit to be shown now.
        session_rooms_limit: Rooms that one session may attend.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        recovery: Recovery,
        rooms: Rooms,
        states: RoomStates,
        lists: SessionLists,
        present: Present,
        session_rooms_limit: int = 1000,
        namespace: str = "/chat",
    ) -> None:
        self._manager = manager
        self._recovery = recovery
        self._rooms = rooms
        self._states = states
        self._lists = lists
        self._present = present
        self._namespace = namespace
        self._turns = Turnstile(JOINS_A_TURN)
        self._wishes = Wishes(session_rooms_limit)

    def held(self) -> dict[str, int]:
        """Return what is kept of joins, counted by kind."""
        return {**self._wishes.held(), "attending_turns": len(self._turns)}

    def attends(self, sid: str, room: str) -> bool:
        """Tell whether a session of this node receives a room's events."""
        members = self._manager.recipients(self._namespace, keys.channel(room))
        if sid in members:
            return True
        wish = self._wishes.find(sid, room)
        return wish is not None and wish.attended

    async def join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> PendingJoin:
        """Prepare a session's entry: subscribed first, then read.

        Of two joins of one session for one room the later one counts; the earlier
        one's ``finish`` raises.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
            NotAttendingError: The session ended meanwhile.
            TooLargeError: The session attends too many rooms.
            ForbiddenError: The user quit the room and comes back to it by a cursor.
        """
        with self._wishes.place(session, room):
            return await self._join(session, room, cursor)

    async def _join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> PendingJoin:
        channel, sid = keys.channel(room), session.sid
        wish = self._wishes.begin(sid, room, attended=self.attends(sid, room))
        try:
            if room not in session.rooms:
                await self._rooms.claim(room, session.user)
            feed = await self._active(channel, cursor, wish)
        except BaseException:
            self._wishes.end(sid, room, wish)
            self._forget_if_out(session, room)
            raise
        # A session that joins again gets what it missed by its cursor, not twice.
        self._manager.basic_leave_room(sid, self._namespace, channel)
        entry = feed.begin_entry()
        self._wishes.enter(wish, entry)

        def close() -> None:
            feed.end_entry(entry)
            self._wishes.end(sid, room, wish)
            self._manager.feeds.release(channel)
            self._forget_if_out(session, room)

        try:
            _require_live(session)
            # All but the past are sent now; often that is in this node's memory.
            admission, _, state, past = await in_turn(
                self._rooms.admit(room, session.user, returning=cursor is not None),
                self._lists.add(session, room),
                self._states.read(room),
                self._recovery.past(feed, entry, cursor),
            )
            _require_live(session)
        except BaseException:
            close()
            raise
        return PendingJoin(
            user=session.user,
            enter=lambda: self._enter(session, channel),
            close=close,
            feed=feed,
            entry=entry,
            admission=admission,
            state=state,
            past=past,
            present=self._present,
        )

    async def _active(self, channel: str, cursor: str | None, wish: Wish) -> RoomFeed:
        """Hold a room that is as its log is, and not behind the cursor."""
        await self._turns.wait()
        feeds = self._manager.feeds
        feed = await feeds.hold(channel)
        try:
            # After a gap, what this node remembers may be of a past that Redis lost.
            # A session may have heard elsewhere what is still under way to this node.
            for _ in range(CATCH_UPS):
                if feed.live and not await self._recovery.is_ahead(feed, cursor):
                    break
                await feeds.catch_up(channel)
            else:
                raise UnavailableError("This node is behind; join again.")
            if wish.void:
                raise UnavailableError("The session left meanwhile, or joined again.")
        except BaseException:
            feeds.release(channel)
            raise
        return feed

    def _forget_if_out(self, session: AttendingSession, room: str) -> None:
        """Do not leave a session listed whose join failed and has no successor."""
        sid = session.sid
        listed = room in session.rooms
        if listed and not (self._wishes.find(sid, room) or self.attends(sid, room)):
            self._lists.forget(session, room)

    def _enter(self, session: AttendingSession, channel: str) -> None:
        _require_live(session)
        self._manager.basic_enter_room(session.sid, self._namespace, channel)

    async def leave(self, session: AttendingSession, room: str) -> None:
        """End a session's attendance; repeating it is fine."""
        self._wishes.cancel(session.sid, room)
        self._manager.basic_leave_room(session.sid, self._namespace, keys.channel(room))
        await self._lists.remove(session, room)

    def cancel_join(self, session: AttendingSession, room: str) -> None:
        """Cancel a session's join that is on its way, if there is one."""
        self._wishes.cancel(session.sid, room)

    def moment(self) -> int:
        """Return what :meth:`let_go` is to know of the moment of this call."""
        return self._wishes.moment()

    def let_go(self, session: AttendingSession, room: str, *, since: int) -> bool:
        """End the attendance of somebody who is no member any more; true if it did.

        A join on its way is cancelled: it may have begun before the membership ended.
        One that began, or was sent to Redis, after that was found out is not: it makes
        the user a member again.

        Args:
            session: The session of a user who is no member.
            room: The room.
            since: The :meth:`moment` in which Redis was asked. Its answers come in
                order: no join sent after that has been answered when this is called.
        """
        sid = session.sid
        wish = self._wishes.find(sid, room)
        returns = wish is not None and wish.since > since
        if wish is not None and returns:
            if wish.entry is not None:
                return False
            wish.attended = False
        else:
            self._wishes.cancel(sid, room)
        self._manager.basic_leave_room(sid, self._namespace, keys.channel(room))
        if room not in session.rooms:
            return False
        self._lists.remove_soon(session, room)
        return not returns

    def end(self, session: AttendingSession) -> None:
        """Take a session whose connection ended off every room's list, soon."""
        session.ended = True
        self._lists.end(session)


def _require_live(session: AttendingSession) -> None:
    if session.ended:
        raise NotAttendingError("The connection ended.")
