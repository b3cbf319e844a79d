"""Quits: who is no member any more attends at no node, also one that did not hear."""

from typing import Any

from realtime.errors import ChatError
from realtime.presence.roster import AttendingSession, SessionLists
from realtime.rooms.attendance import Attendance
from realtime.rooms.standing import Standing
from realtime.socketio.manager import ChatroomManager
from realtime.store import keys
from realtime.store.membership import QUIT, Rooms


class Quits:
    """Ends memberships, and with them the attendance of all the user's sessions.

    All nodes hear of it by a control message, which is published in the step that ends
    the membership. Where a gap may have swallowed it, the room's list of late quits
    says it again.

    Args:
        manager: Carries the word to this node, and tells of gaps.
        rooms: Membership.
        attendance: Ends the attendance of a session.
        lists: This node's sessions in rooms.
        standing: Tells those who stay.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        rooms: Rooms,
        attendance: Attendance,
        lists: SessionLists,
        standing: Standing,
        namespace: str = "/chat",
    ) -> None:
        self._manager = manager
        self._rooms = rooms
        self._attendance = attendance
        self._lists = lists
        self._standing = standing
        self._namespace = namespace
        manager.control.more[QUIT] = self._heard
        manager.feeds.after_gap = self.after_gap

    async def quit(self, session: AttendingSession, room: str) -> None:
        """End the user's membership, and their sessions' attendance on all nodes.

        This session attends no longer when it returns; the others follow. What it asks
        for after this, a join, comes later in Redis as well, and counts.

        Raises:
            UnavailableError: Nothing was changed; ask again.
            OutcomeUnknownError: Ask again. If the membership has ended, all sessions
                are told, this one as well.
        """
        self._attendance.cancel_join(session, room)
        asked = self._attendance.moment()
        await self._rooms.quit(room, session.user)
        gone = self._attendance.let_go(session, room, since=asked)
        try:
            await self._rooms.unlist(room, session.user)
        except ChatError:
            if gone:
                self._tell_ended(session, room)
            raise

    async def _heard(self, message: dict[str, Any]) -> None:
        room, user = keys.room_of_channel(message["room"]), message["user"]
        # The word may come after the user has joined again: then they are a member.
        asked = self._attendance.moment()
        if not await self._is_member(room, user):
            self._let_go(room, user, since=asked)
        # Whose mark counts has changed; in a large room nobody is told of marks.
        await self._standing.tell(message["room"], large_rooms=False)

    async def _is_member(self, room: str, user: str) -> bool:
        try:
            return await self._rooms.is_member(room, user)
        except ChatError:
            # A member who is sent away can come back; who quit must not stay.
            return False

    def _let_go(self, room: str, user: str, *, since: int) -> None:
        own = keys.user_sessions_room(user)
        sids = self._manager.recipients(self._namespace, own)
        for session in self._lists.known(sids):
            if self._attendance.let_go(session, room, since=since):
                self._tell_ended(session, room)

    def _tell_ended(self, session: AttendingSession, room: str) -> None:
        delivery = self._manager.delivery
        delivery.tell(session.sid, "membership_ended", {"room": room})

    async def after_gap(self, channel: str) -> None:
        """Make up for notices that a room may have missed, quits among them.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        room = keys.room_of_channel(channel)
        asked = self._attendance.moment()
        for user in await self._rooms.quit_lately(room):
            self._let_go(room, user, since=asked)
        await self._standing.tell(channel, large_rooms=True)
