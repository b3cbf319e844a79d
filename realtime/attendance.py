"""Attendance: how a session enters a room with nothing missed, and leaves it."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol

import orjson

from realtime import keys
from realtime.departures import Departures
from realtime.errors import (
    ChatError,
    NotAttendingError,
    TooLargeError,
    UnavailableError,
)
from realtime.in_turn import in_turn
from realtime.manager import ChatroomManager
from realtime.pending_join import PendingJoin, Present
from realtime.presence import Presence
from realtime.recovery import Recovery
from realtime.room_feed import Entry, RoomFeed
from realtime.room_state import RoomStates
from realtime.rooms import Rooms
from realtime.turnstile import Turnstile

RELIST_SESSIONS = 100
"""Sessions listed again in one round trip: 50,000 take about a second, which the
renewal of the lease can wait."""

JOINS_A_TURN = 8
"""Joins begun in one turn of the event loop, some 3 ms of work. After a node's death
thousands come at once; messages of others pass between them."""

CATCH_UPS = 3
"""Readings of the log that one join waits for. The first may have been under way
before what the cursor is of was stored; the second was not."""


class AttendingSession(Protocol):
    """What attendance needs to know of a session."""

    sid: str
    user: str
    device: str | None
    ended: bool
    rooms: set[str]


class _Wish:
    """A session's wish to enter a room, from its request to its ack.

    Attributes:
        attended: Whether it attended before: a join does not interrupt that.
        entry: Collects what passes, once the room is active.
        void: Whether a later join or leave of the session took its place.
    """

    __slots__ = ("attended", "entry", "void")

    def __init__(self, *, attended: bool) -> None:
        self.attended = attended
        self.entry: Entry | None = None
        self.void = False

    def cancel(self) -> None:
        """Let something later take its place."""
        self.void = True
        if self.entry is not None:
            self.entry.broken = True


class Attendance:
    """Sessions' way into, and out of, the rooms' fan-out and presence.

    Args:
        manager: Holds the rooms' sessions of this node.
        recovery: Finds what a session missed.
        rooms: Membership.
        states: Read marks and presence of rooms.
        presence: The session lists over all nodes.
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
        presence: Presence,
        present: Present,
        session_rooms_limit: int = 1000,
        namespace: str = "/chat",
    ) -> None:
        self._manager = manager
        self._recovery = recovery
        self._rooms = rooms
        self._states = states
        self._presence = presence
        self._present = present
        self._session_rooms_limit = session_rooms_limit
        self._namespace = namespace
        self._turns = Turnstile(JOINS_A_TURN)
        self._sessions: dict[str, AttendingSession] = {}
        # By sid, rooms that are being joined and are not among the session's yet.
        self._coming: Counter[str] = Counter()
        self._wishes: dict[tuple[str, str], _Wish] = {}
        # Whether a room may list a session of this node that is not in it any more:
        # Redis was away when that was to be said.
        self._lists_unsure = False
        self.departures = Departures(presence, failed=self._doubt_lists)
        manager.control.more["quit"] = self._quit_here
        manager.feeds.after_gap = self.announce_state

    def held(self) -> dict[str, int]:
        """Return what is kept of sessions in rooms, counted by kind."""
        return {
            "attending_sessions": len(self._sessions),
            "attending_wishes": len(self._wishes),
            "attending_coming": len(self._coming),
            "attending_turns": len(self._turns),
            "departures": len(self.departures),
        }

    def attends(self, sid: str, room: str) -> bool:
        """Tell whether a session of this node receives a room's events."""
        members = self._manager.recipients(self._namespace, keys.channel(room))
        if sid in members:
            return True
        wish = self._wishes.get((sid, room))
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
        """
        if room in session.rooms:
            return await self._join(session, room, cursor)
        self._reserve(session)
        try:
            return await self._join(session, room, cursor)
        finally:
            self._coming[session.sid] -= 1
            if not self._coming[session.sid]:
                del self._coming[session.sid]

    async def _join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> PendingJoin:
        channel = keys.channel(room)
        wish = self._wish(session, room)
        try:
            if room not in session.rooms:
                await self._rooms.claim(room, session.user)
            feed = await self._active(channel, cursor, wish)
        except BaseException:
            self._drop(session, room, wish)
            raise
        # A session that joins again gets what it missed by its cursor, not twice.
        self._manager.basic_leave_room(session.sid, self._namespace, channel)
        entry = wish.entry = feed.begin_entry()

        def close() -> None:
            feed.end_entry(entry)
            self._drop(session, room, wish)
            self._manager.feeds.release(channel)

        try:
            _require_live(session)
            self._sessions[session.sid] = session
            session.rooms.add(room)
            # All but the past are sent now; often that is in this node's memory.
            admission, _, state, past = await in_turn(
                self._rooms.admit(room, session.user),
                self._list(session, room),
                self._states.read(room),
                self._recovery.past(feed, entry, cursor),
            )
            _require_live(session)
        except BaseException:
            close()
            later = (session.sid, room) in self._wishes
            if not later and not self.attends(session.sid, room):
                session.rooms.discard(room)
                self._lists_unsure = True
            raise
        return PendingJoin(
            enter=lambda: self._enter(session, channel),
            close=close,
            feed=feed,
            entry=entry,
            admission=admission,
            state=state,
            past=past,
            present=self._present,
        )

    def _reserve(self, session: AttendingSession) -> None:
        """Keep a place for one more room, so that joins at once keep to the limit."""
        coming = self._coming[session.sid]
        if len(session.rooms) + coming >= self._session_rooms_limit:
            raise TooLargeError(
                f"A session may attend {self._session_rooms_limit} rooms; leave one.",
                limit="session_rooms",
            )
        self._coming[session.sid] = coming + 1

    async def _active(self, channel: str, cursor: str | None, wish: _Wish) -> RoomFeed:
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

    def _wish(self, session: AttendingSession, room: str) -> _Wish:
        wish = _Wish(attended=self.attends(session.sid, room))
        self._cancel_wish(session, room)
        self._wishes[session.sid, room] = wish
        return wish

    def _drop(self, session: AttendingSession, room: str, wish: _Wish) -> None:
        if self._wishes.get((session.sid, room)) is wish:
            del self._wishes[session.sid, room]

    def _cancel_wish(self, session: AttendingSession, room: str) -> None:
        earlier = self._wishes.pop((session.sid, room), None)
        if earlier is not None:
            earlier.cancel()

    def _enter(self, session: AttendingSession, channel: str) -> None:
        _require_live(session)
        self._manager.basic_enter_room(session.sid, self._namespace, channel)

    async def leave(self, session: AttendingSession, room: str) -> None:
        """End a session's attendance; repeating it is fine."""
        self._cancel_wish(session, room)
        self._manager.basic_leave_room(session.sid, self._namespace, keys.channel(room))
        if room in session.rooms:
            session.rooms.discard(room)
            await self._unlist(session, room)

    async def quit(self, session: AttendingSession, room: str) -> None:
        """End the user's membership, and their sessions' attendance on all nodes.

        This session attends no longer when it returns; those of other nodes follow.
        """
        await self._rooms.quit(room, session.user)
        await self.leave(session, room)
        await self._manager.publish_control(
            "quit", room=keys.channel(room), user=session.user
        )

    async def _quit_here(self, message: dict[str, Any]) -> None:
        room = keys.room_of_channel(message["room"])
        user_room = keys.user_sessions_room(message["user"])
        own = self._manager.recipients(self._namespace, user_room)
        sessions = [self._sessions[sid] for sid in own if sid in self._sessions]
        await asyncio.gather(*(self.leave(session, room) for session in sessions))
        # Whose mark counts has changed; in a large room nobody is told of marks.
        if self._manager.feeds.get(message["room"]) is not None:
            await self._announce(message["room"], large_rooms=False)

    def end(self, session: AttendingSession) -> None:
        """Take a session whose connection ended off every room's list, soon."""
        session.ended = True
        self._sessions.pop(session.sid, None)
        for room in session.rooms:
            self.departures.add(room, session.sid)
        session.rooms.clear()

    async def _unlist(self, session: AttendingSession, room: str) -> None:
        try:
            await self._presence.leave(room=room, sid=session.sid)
        except ChatError:
            self._doubt_lists()
            raise

    def _doubt_lists(self) -> None:
        self._lists_unsure = True

    async def reconcile(self) -> None:
        """Take off the lists what should have been, while Redis was away.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away again; ask again.
        """
        if not self._lists_unsure:
            return
        self._lists_unsure = False
        try:
            async for room, sid in self._presence.listed():
                session = self._sessions.get(sid)
                if session is None or room not in session.rooms:
                    await self._presence.leave(room=room, sid=sid)
        except ChatError:
            self._lists_unsure = True
            raise

    async def relist(self) -> None:
        """List all of this node's sessions again, and see to it that no others are.

        Others may have cleared the lists, or Redis may have gone back to older ones.
        """
        self._doubt_lists()
        sessions = list(self._sessions.values())
        for start in range(0, len(sessions), RELIST_SESSIONS):
            together = sessions[start : start + RELIST_SESSIONS]
            await in_turn(
                *[
                    self._list(session, room)
                    for session in together
                    for room in list(session.rooms)
                ]
            )

    async def announce_state(self, channel: str) -> None:
        """Tell this node's sessions how a room stands, after a gap in its notices.

        Word that somebody quit at another node may have been lost in the gap too.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        await self._let_quitters_go(channel)
        if self._manager.feeds.get(channel) is None:
            # Nobody is left, and the room is not active here any more.
            return
        await self._announce(channel, large_rooms=True)

    async def _let_quitters_go(self, channel: str) -> None:
        room = keys.room_of_channel(channel)
        quitters = await self._rooms.quit_lately(room)
        # No step between that answer and these: whoever joins anew meanwhile is a
        # member again after it, and has a wish.
        for sid in list(self._manager.recipients(self._namespace, channel)):
            session = self._sessions.get(sid)
            if session is None or session.user not in quitters:
                continue
            if room in session.rooms and (sid, room) not in self._wishes:
                self._manager.basic_leave_room(sid, self._namespace, channel)
                session.rooms.discard(room)
                self.departures.add(room, sid)

    async def _announce(self, channel: str, *, large_rooms: bool) -> None:
        feed = await self._manager.feeds.hold(channel)
        entry = feed.begin_entry()
        try:
            state = await self._states.read(feed.room)
            if not (large_rooms or state.is_listed):
                return
            state.apply(entry.notices)
            payload = orjson.dumps(["state", {"room": feed.room, **state.to_wire()}])
            packet = f"2{self._namespace},{payload.decode()}"
            self._manager.send_local(self._namespace, channel, [packet])
        finally:
            feed.end_entry(entry)
            self._manager.feeds.release(channel)

    def _list(self, session: AttendingSession, room: str) -> Coroutine[Any, Any, None]:
        return self._presence.enter(
            room=room, sid=session.sid, user=session.user, device=session.device
        )


def _require_live(session: AttendingSession) -> None:
    if session.ended:
        raise NotAttendingError("The connection ended.")
