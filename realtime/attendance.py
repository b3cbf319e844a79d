"""Attendance: how a session enters a room with nothing missed, and leaves it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from realtime import keys
from realtime.cursor import START, Position, offset_of_message, parse_cursor
from realtime.errors import NotAttendingError, UnavailableError
from realtime.manager import ChatroomManager
from realtime.message_log import MessageLog
from realtime.presence import Presence
from realtime.read_state import ReadState
from realtime.room_feed import Entry, RoomFeed, as_log_event
from realtime.rooms import Admission, Rooms

PAGE_MESSAGES = 50
"""Messages of the newest page, for a session that cannot be recovered."""

RECOVERY_EVENTS = 500
"""Events read from the log in one round trip of a recovery."""

Present = Callable[[bytes], bytes]


class AttendingSession(Protocol):
    """What attendance needs to know of a session."""

    sid: str
    user: str
    device: str | None
    ended: bool
    rooms: set[str]


@dataclass(frozen=True)
class _Past:
    """What a session is told of the time before it entered."""

    recovered: bool
    events: list[bytes]


class PendingJoin:
    """A join that is ready but for the step that writes its ack.

    ``finish`` or ``cancel`` must be called, once.

    Args:
        enter: Puts the session into the fan-out.
        close: Releases the room's feed.
        feed: The room on this node.
        entry: Collects what passes until the end.
        ack: The ack's members that are settled already.
        past: Events up to the entry's start.
        present: As for :class:`Attendance`.
    """

    def __init__(
        self,
        *,
        enter: Callable[[], None],
        close: Callable[[], None],
        feed: RoomFeed,
        entry: Entry,
        ack: dict[str, object],
        past: "_Past",
        present: Present,
    ) -> None:
        self._enter = enter
        self._close = close
        self._feed = feed
        self._entry = entry
        self._ack = ack
        self._past = past
        self._present = present

    def finish(self) -> dict[str, object]:
        """Put the session into the fan-out and return its ack.

        Synchronous: the ack must be written in the same step. It then precedes the
        room's first live event, and its ``events`` reach exactly up to that.

        Raises:
            UnavailableError: The room moved on too fast, its log broke, or the
                session asked again meanwhile.
            NotAttendingError: The session ended meanwhile.
        """
        try:
            if self._entry.broken:
                raise UnavailableError("The room changed meanwhile; join again.")
            self._enter()
        finally:
            self._close()
        events = [*self._past.events, *self._entry.tail]
        return {
            "room": self._feed.room,
            "cursor": str(self._feed.position),
            "recovered": self._past.recovered,
            "events": [orjson.Fragment(self._present(event)) for event in events],
            **self._ack,
        }

    def cancel(self) -> None:
        """Give the join up."""
        self._close()


class Attendance:
    """Sessions' way into, and out of, the rooms' fan-out and presence.

    Args:
        manager: Holds the rooms' sessions of this node.
        log: The rooms' logs.
        rooms: Membership.
        reads: Read marks.
        presence: The session lists over all nodes.
        present: Makes an event from the log fit to be shown now (fresh image URLs).
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        log: MessageLog,
        rooms: Rooms,
        reads: ReadState,
        presence: Presence,
        present: Present,
        namespace: str = "/chat",
    ) -> None:
        self._manager = manager
        self._log = log
        self._rooms = rooms
        self._reads = reads
        self._presence = presence
        self._present = present
        self._namespace = namespace
        self._sessions: dict[str, AttendingSession] = {}
        self._entries: dict[tuple[str, str], Entry] = {}
        manager.control.more["quit"] = self._quit_here

    def attends(self, sid: str, room: str) -> bool:
        """Tell whether a session of this node receives a room's events."""
        members = self._manager.recipients(self._namespace, keys.channel(room))
        return sid in members

    async def join(
        self, session: AttendingSession, room: str, cursor: str | None
    ) -> PendingJoin:
        """Prepare a session's entry: subscribed first, then read.

        Of two joins of one session for one room the later one counts; the earlier
        one's ``finish`` raises.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
            NotAttendingError: The session ended meanwhile.
        """
        channel = keys.channel(room)
        feed = await self._manager.feeds.hold(channel)
        # A session that joins again gets what it missed by its cursor, not twice.
        self._manager.basic_leave_room(session.sid, self._namespace, channel)
        entry = self._begin(session, feed)

        def close() -> None:
            self._end(session, feed, entry)

        try:
            _require_live(session)
            self._sessions[session.sid] = session
            session.rooms.add(room)
            admission, _, past, (online, online_count) = await asyncio.gather(
                self._rooms.admit(room, session.user),
                self._list(session, room),
                self._past(feed, entry, cursor),
                self._presence.online(room),
            )
            reads = await self._reads.all(room)
            _require_live(session)
        except BaseException:
            close()
            if session.ended:
                # It may have been listed after its end took it off the list.
                await self._presence.leave(room=room, sid=session.sid)
            raise
        online_part = {"online": online, "onlineCount": online_count}
        return PendingJoin(
            enter=lambda: self._enter(session, channel),
            close=close,
            feed=feed,
            entry=entry,
            ack=_standing(admission, reads) | online_part,
            past=past,
            present=self._present,
        )

    def _begin(self, session: AttendingSession, feed: RoomFeed) -> Entry:
        name = (session.sid, feed.room)
        if earlier := self._entries.get(name):
            earlier.broken = True
        entry = self._entries[name] = feed.begin_entry()
        return entry

    def _end(self, session: AttendingSession, feed: RoomFeed, entry: Entry) -> None:
        feed.end_entry(entry)
        name = (session.sid, feed.room)
        if self._entries.get(name) is entry:
            del self._entries[name]
        self._manager.feeds.release(keys.channel(feed.room))

    def _enter(self, session: AttendingSession, channel: str) -> None:
        _require_live(session)
        self._manager.basic_enter_room(session.sid, self._namespace, channel)

    async def leave(self, session: AttendingSession, room: str) -> None:
        """End a session's attendance; repeating it is fine."""
        self._manager.basic_leave_room(session.sid, self._namespace, keys.channel(room))
        if room in session.rooms:
            session.rooms.discard(room)
            await self._presence.leave(room=room, sid=session.sid)

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

    async def end(self, session: AttendingSession) -> None:
        """Take a session whose connection ended off every room's list."""
        session.ended = True
        self._sessions.pop(session.sid, None)
        rooms = list(session.rooms)
        session.rooms.clear()
        await asyncio.gather(
            *(self._presence.leave(room=room, sid=session.sid) for room in rooms)
        )

    async def relist(self) -> None:
        """List all of this node's sessions again, after others cleared them."""
        for session in list(self._sessions.values()):
            await asyncio.gather(
                *(self._list(session, room) for room in list(session.rooms))
            )

    async def _list(self, session: AttendingSession, room: str) -> None:
        await self._presence.enter(
            room=room, sid=session.sid, user=session.user, device=session.device
        )

    async def _past(self, feed: RoomFeed, entry: Entry, cursor: str | None) -> _Past:
        """Return the events up to the entry's start: missed ones, or a page."""
        position = None if cursor is None else parse_cursor(cursor)
        if position is not None:
            recent = (
                feed.recent_after(position) if entry.start == feed.position else None
            )
            missed = recent
            if missed is None:
                missed = await self._missed(feed.room, position, entry.start)
            if missed is not None:
                return _Past(True, missed)
        return _Past(False, await self._newest(feed.room, entry.start))

    async def _missed(
        self, room: str, cursor: Position, start: Position
    ) -> list[bytes] | None:
        """Read the events between a cursor and the entry, None if not provable."""
        if cursor.offset > start.offset:
            return None
        events: list[bytes] = []
        while True:
            page = await self._log.read(
                room, cursor, upto=start.offset, limit=RECOVERY_EVENTS
            )
            if not page.proved:
                return None
            events += page.events
            if len(page.events) < RECOVERY_EVENTS:
                return events
            cursor, _ = as_log_event(page.events[-1])

    async def _newest(self, room: str, start: Position) -> list[bytes]:
        """Return the newest messages up to the entry, as event arrays."""
        if start == START:
            return []
        page = await self._log.history(room=room, limit=PAGE_MESSAGES)
        return [
            b'["message",' + message + b"]"
            for message in page.messages
            if offset_of_message(message) <= start.offset
        ]


def _standing(admission: Admission, reads: dict[str, int] | None) -> dict[str, object]:
    """Return the ack's members on where the user stands in the room."""
    return {
        "lastMessage": admission.last_message,
        "lastReadMessage": admission.last_read_message,
        "unread": admission.last_message - admission.last_read_message,
        "memberCount": admission.members,
        "reads": reads,
    }


def _require_live(session: AttendingSession) -> None:
    if session.ended:
        raise NotAttendingError("The connection ended.")
