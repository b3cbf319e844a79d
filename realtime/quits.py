"""Quits: who is no member any more attends at no node, also one that did not hear."""

from typing import Any

from realtime import keys
from realtime.attendance import Attendance
from realtime.errors import ChatError
from realtime.manager import ChatroomManager
from realtime.rooms import Rooms
from realtime.session_lists import AttendingSession, SessionLists
from realtime.standing import Standing


class Quits:
    """Ends memberships, and with them the attendance of all the user's sessions.

    The other nodes hear of it by a control message. Where a gap may have swallowed
    that, the room's list of late quits says it again.

    Args:
        manager: Carries the word to the other nodes, and tells of gaps.
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
        manager.control.more["quit"] = self._heard
        manager.feeds.after_gap = self.after_gap

    async def quit(self, session: AttendingSession, room: str) -> None:
        """End the user's membership, and their sessions' attendance on all nodes.

        This session attends no longer when it returns; those of other nodes follow.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        await self._rooms.quit(room, session.user)
        await self._attendance.leave(session, room)
        await self._manager.publish_control(
            "quit", room=keys.channel(room), user=session.user
        )

    async def _heard(self, message: dict[str, Any]) -> None:
        room, user = keys.room_of_channel(message["room"]), message["user"]
        # The word may come after the user has joined again: then they are a member.
        if not await self._is_member(room, user):
            self._let_go(room, user)
        # Whose mark counts has changed; in a large room nobody is told of marks.
        await self._standing.tell(message["room"], large_rooms=False)

    async def _is_member(self, room: str, user: str) -> bool:
        try:
            return await self._rooms.is_member(room, user)
        except ChatError:
            # A member who is sent away can come back; who quit must not stay.
            return False

    def _let_go(self, room: str, user: str) -> None:
        own = keys.user_sessions_room(user)
        sids = self._manager.recipients(self._namespace, own)
        for session in self._lists.known(sids):
            if self._attendance.let_go(session, room):
                delivery = self._manager.delivery
                delivery.tell(session.sid, "membership_ended", {"room": room})

    async def after_gap(self, channel: str) -> None:
        """Make up for notices that a room may have missed, quits among them.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        room = keys.room_of_channel(channel)
        quitters = await self._rooms.quit_lately(room)
        # No step between that answer and this: whoever joins anew meanwhile is a
        # member again after it.
        for user in quitters:
            self._let_go(room, user)
        await self._standing.tell(channel, large_rooms=True)
