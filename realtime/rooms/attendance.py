"""Attendance: which of this node's sessions receive a room's events, and its end."""

from collections.abc import Callable

from realtime.presence.roster import AttendingSession, Roster
from realtime.rooms.attempts import JoinAttempts
from realtime.rooms.feed import Entry
from realtime.socketio.manager import ChatroomManager
from realtime.store import events, keys


class Attendance:
    """Who attends, and how a session stops. How it begins is :mod:`.joining`.

    Args:
        manager: Holds the rooms' sessions of this node.
        roster: The rooms' session lists.
        attempts: Joins on their way.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        roster: Roster,
        attempts: JoinAttempts,
        namespace: str,
    ) -> None:
        self._manager = manager
        self._roster = roster
        self._attempts = attempts
        self._namespace = namespace

    def receives(self, sid: str, room: str) -> bool:
        """Tell whether a session of this node is in a room's fan-out now."""
        channel = keys.channel(room)
        return sid in self._manager.recipients_of_one(self._namespace, channel)

    def attends(self, sid: str, room: str) -> bool:
        """Tell whether a session attends a room; joining again does not interrupt."""
        if self.receives(sid, room):
            return True
        attempt = self._attempts.find(sid, room)
        return attempt is not None and attempt.attended

    def enter(self, session: AttendingSession, room: str) -> None:
        """Put a session into a room's fan-out, now."""
        self._manager.basic_enter_room(session.sid, self._namespace, keys.channel(room))

    def suspend(self, session: AttendingSession, room: str) -> None:
        """Take a session out of a room's fan-out and leave it on the room's list."""
        self._manager.basic_leave_room(session.sid, self._namespace, keys.channel(room))

    def interrupt(
        self, session: AttendingSession, room: str, entry: Entry
    ) -> Callable[[], None] | None:
        """Take a session that joins again out of a room's fan-out.

        Returns:
            What puts it back and tells it what has passed since, if the join fails;
            None if it was not there.
        """
        if not self.receives(session.sid, room):
            return None
        # It is given all that came before the entry began.
        self.suspend(session, room)

        def resume() -> None:
            if session.ended:
                return
            self.enter(session, room)
            if entry.broken:
                self._manager.tell(session.sid, events.RELOAD, {"room": room})
            else:
                passed = [*entry.tail, *entry.notices]
                self._manager.send_events(session.sid, passed)

        return resume

    def put_out(self, session: AttendingSession, room: str, offset: int) -> bool:
        """End the attendance of somebody whom the log's event puts out; true if it did.

        Unlike :meth:`expel` it needs no word from Redis. A session that was admitted
        after the event, at a node that is behind, stays. One that is on its way in
        finds the event in what it collects.

        Args:
            session: A session of the user.
            room: The room.
            offset: Of the event, which is delivered now.
        """
        is_in = self.attends(session.sid, room)
        if not is_in or session.rooms.get(room, 0) >= offset:
            return False
        self._attempts.supersede(session.sid, room)
        self.suspend(session, room)
        self._roster.remove_soon(session, room)
        return True

    async def leave(self, session: AttendingSession, room: str) -> None:
        """End a session's attendance; repeating it is fine."""
        self._attempts.supersede(session.sid, room)
        self.suspend(session, room)
        await self._roster.remove(session, room)

    def expel(self, session: AttendingSession, room: str, *, since: int) -> bool:
        """End the attendance of somebody who is no member any more; true if it did.

        A join on its way is superseded: it may have begun before the membership ended.
        One that began, or was sent to Redis, after that was found out is not: it makes
        the user a member again.

        Args:
            session: The session of a user who is no member.
            room: The room.
            since: The :meth:`JoinAttempts.tick` at which Redis was asked. Its answers
                come in order: no join sent after that has been answered when this is
                called.
        """
        sid = session.sid
        attempt = self._attempts.find(sid, room)
        returns = attempt is not None and attempt.since > since
        if attempt is not None and returns:
            if attempt.entry is not None:
                return False
            attempt.attended = False
        else:
            self._attempts.supersede(sid, room)
        self.suspend(session, room)
        if room not in session.rooms:
            return False
        self._roster.remove_soon(session, room)
        return not returns

    def end(self, session: AttendingSession) -> None:
        """Take a session whose connection ended off every room's list, soon."""
        session.ended = True
        self._roster.end(session)
