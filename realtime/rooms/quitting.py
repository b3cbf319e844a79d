"""Quitting: who is no member any more attends at no node, also one that did not hear.

All nodes hear of it by a control message, which is published in the step that ends the
membership. Where a gap may have swallowed it, the room's list of late quits says it
again. Whoever was put out by others is so from the log's event on, at each node.
"""

from typing import Any

from realtime.errors import ChatError
from realtime.presence.room_counts import RoomCounts
from realtime.presence.roster import AttendingSession, Roster
from realtime.rooms.attempts import JoinAttempts
from realtime.rooms.attendance import Attendance
from realtime.rooms.room_states import RoomStates
from realtime.socketio.manager import ChatroomManager
from realtime.store import keys
from realtime.store.membership import Memberships


class Quitting:
    """Ends memberships, and with them the attendance of all the user's sessions.

    Args:
        manager: Writes to the sessions of this node.
        states: Tells sessions how rooms stand.
        memberships: Who belongs to which room.
        roster: This node's sessions in rooms.
        attendance: Ends the attendance of a session.
        attempts: Joins on their way.
        member_counts: Tells large rooms how many members they have.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        states: RoomStates,
        memberships: Memberships,
        roster: Roster,
        attendance: Attendance,
        attempts: JoinAttempts,
        member_counts: RoomCounts,
        namespace: str,
    ) -> None:
        self._manager = manager
        self._states = states
        self._memberships = memberships
        self._roster = roster
        self._attendance = attendance
        self._attempts = attempts
        self._member_counts = member_counts
        self._namespace = namespace

    async def quit(self, session: AttendingSession, room: str) -> None:
        """End the user's membership, and their sessions' attendance on all nodes.

        This session attends no longer when it returns; the others follow. What it asks
        for after this, a join, comes later in Redis as well, and counts.

        Raises:
            UnavailableError: Nothing was changed; ask again.
            OutcomeUnknownError: Ask again. If the membership has ended, all sessions
                are told, this one as well.
        """
        self._attempts.supersede(session.sid, room, give_back=True)
        asked = self._attempts.tick()
        await self._memberships.quit(room, session.user)
        self._member_counts.changed(room)
        gone = self._attendance.expel(session, room, since=asked)
        try:
            await self._memberships.unlist(room, session.user)
        except ChatError:
            if gone:
                self._tell_ended(session, room)
            raise

    async def heard(self, message: dict[str, Any]) -> None:
        """Take the control message of a quit.

        Args:
            message: ``room`` is the channel, ``user`` who quit.
        """
        room, user = keys.room_of_channel(message["room"]), message["user"]
        # The word may come after the user has joined again: then they are a member.
        asked = self._attempts.tick()
        if not await self._is_member(room, user):
            self._expel(room, user, since=asked)
        # Whose mark counts has changed.
        self._states.changed(message["room"])

    def put_out(self, channel: str, user: str, offset: int) -> None:
        """Have a user's sessions hear nothing of a room that comes after an event.

        Args:
            channel: The room's.
            user: Whom the event puts out.
            offset: Of the event, which is delivered now.
        """
        room = keys.room_of_channel(channel)
        for session in self._own_sessions(user):
            if self._attendance.put_out(session, room, offset):
                self._tell_ended(session, room)

    async def room_gone(self, message: dict[str, Any]) -> None:
        """Take the control message of a room's deletion.

        Args:
            message: ``room`` is the channel.
        """
        room = keys.room_of_channel(message["room"])
        asked = self._attempts.tick()
        for session in self._roster.of_room(room):
            if self._attendance.expel(session, room, since=asked):
                self._tell_ended(session, room)

    async def after_gap(self, channel: str) -> None:
        """Make up for notices that a room may have missed, quits among them.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        room = keys.room_of_channel(channel)
        asked = self._attempts.tick()
        for user in await self._memberships.quit_lately(room):
            self._expel(room, user, since=asked)
        await self._states.tell(channel, large_rooms=True)

    async def _is_member(self, room: str, user: str) -> bool:
        try:
            return await self._memberships.is_member(room, user)
        except ChatError:
            # A member who is sent away can come back; who quit must not stay.
            return False

    def _expel(self, room: str, user: str, *, since: int) -> None:
        for session in self._own_sessions(user):
            if self._attendance.expel(session, room, since=since):
                self._tell_ended(session, room)

    def _own_sessions(self, user: str) -> list[AttendingSession]:
        own = keys.user_sessions_room(user)
        return self._roster.known(self._manager.recipients(self._namespace, own))

    def _tell_ended(self, session: AttendingSession, room: str) -> None:
        self._manager.tell(session.sid, "membership_ended", {"room": room})
