"""Session lists: the rooms' lists over all nodes say what attends at this one."""

import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol

from realtime.errors import ChatError
from realtime.presence.departures import Departures
from realtime.presence.presence import Presence
from realtime.redis.connection import ReplyError
from realtime.tasks import gather_started

_logger = logging.getLogger(__name__)

# Places of sessions in rooms listed again, or taken off, in one round trip: 50,000 take
# about a second, which the renewal of the lease can wait, and few calls are under way
# at once.
RELIST_TOGETHER = 100


class AttendingSession(Protocol):
    """What attendance needs to know of a session.

    ``rooms`` are those that it is in: to the offset of the log's top when its user was
    last admitted, where this node was behind that; else 0.
    """

    sid: str
    user: str
    name: str | None
    device: str | None
    ended: bool
    rooms: dict[str, int]


class Roster:
    """This node's sessions in rooms, and the lists in Redis that name them.

    A session's ``rooms`` and the lists are kept the same. While Redis is away they
    cannot be: the lists are unsure then, and :meth:`reconcile` makes them right.

    Args:
        presence: The lists over all nodes.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._sessions: dict[str, AttendingSession] = {}
        self._departures = Departures(
            presence, attends=self._attends, failed=self.doubt
        )
        # Whether a room may list a session of this node that is not in it any more.
        self._are_unsure = False
        # Whose turn it is to be listed again.
        self._turns = self._places()

    async def run(self) -> None:
        """Tell of departures until cancelled; the node's lease ends what is listed."""
        await self._departures.run()

    def held(self) -> dict[str, int]:
        """Return what is kept of listed sessions, counted by kind."""
        return {
            "attending_sessions": len(self._sessions),
            "departures": len(self._departures),
        }

    @property
    def lists_later(self) -> bool:
        """Whether a room's list names a session only when :meth:`add` is done.

        Otherwise calls of the room that are made after it find the session there.
        """
        return self._presence.lists_later

    def known(self, sids: Iterable[str]) -> list[AttendingSession]:
        """Return those of the sessions that attend, or attended, a room."""
        sessions = self._sessions
        return [sessions[sid] for sid in sids if sid in sessions]

    def of_room(self, room: str) -> list[AttendingSession]:
        """Return those that attend a room, or are about to."""
        return [each for each in self._sessions.values() if room in each.rooms]

    def add(self, session: AttendingSession, room: str) -> Coroutine[Any, Any, None]:
        """List a session; repeating it is fine.

        The call is sent when this is called, not when it is awaited. A Redis that is
        full can be read: the session is in the room then, and listed with its turn.
        """
        self._sessions[session.sid] = session
        session.rooms.setdefault(room, 0)
        return self._list(session, room, may_wait=True)

    async def remove(self, session: AttendingSession, room: str) -> None:
        """Take a session off a room's list; repeating it is fine.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; the list follows.
        """
        if room not in session.rooms:
            return
        session.rooms.pop(room, None)
        try:
            await self._presence.leave(room=room, sid=session.sid)
        except ChatError:
            self.doubt()
            raise

    def remove_soon(self, session: AttendingSession, room: str) -> None:
        """Take a session off a room's list without waiting for it."""
        session.rooms.pop(room, None)
        self._departures.add(room, session.sid)

    def forget(self, session: AttendingSession, room: str) -> None:
        """Take note that a session is not in a room that may have listed it."""
        session.rooms.pop(room, None)
        self._presence.stop_entering(room, session.sid)
        self.doubt()

    def end(self, session: AttendingSession) -> None:
        """Take a session whose connection ended off every room's list, soon."""
        self._sessions.pop(session.sid, None)
        for room in list(session.rooms):
            self.remove_soon(session, room)

    def doubt(self) -> None:
        """Take note that a list may name a session that is not in the room."""
        self._are_unsure = True

    async def reconcile(self) -> None:
        """Make the lists right: of some sessions each time, of all after an outage.

        Whatever was lost of the lists, a key that somebody deleted as well, comes back
        with the turns; what should have been taken off while Redis was away goes now.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away again; ask again.
        """
        await self._list_some()
        if not self._are_unsure:
            return
        self._are_unsure = False
        gone: list[tuple[str, str]] = []
        try:
            async for place in self._presence.listed():
                if not self._attends(*place):
                    gone.append(place)
                if len(gone) == RELIST_TOGETHER:
                    await self._leave_all(gone)
                    gone.clear()
            await self._leave_all(gone)
        except ChatError:
            self.doubt()
            raise

    def _attends(self, room: str, sid: str) -> bool:
        session = self._sessions.get(sid)
        return session is not None and room in session.rooms

    async def _leave_all(self, places: Iterable[tuple[str, str]]) -> None:
        # Some may have come back since they were looked at.
        gone = [place for place in places if not self._attends(*place)]
        try:
            await self._presence.leave_all(gone)
        except ReplyError:
            # What is wrong with one room's list must not keep others on theirs.
            for place in gone:
                if not self._attends(*place):
                    await self._leave(*place)

    async def _leave(self, room: str, sid: str) -> None:
        try:
            await self._presence.leave(room=room, sid=sid)
        except ReplyError:
            _logger.exception("A session cannot be taken off the list of room %s", room)

    async def relist(self, is_due: Callable[[str], bool] = lambda _room: True) -> None:
        """List all of this node's sessions again, and see to it that no others are.

        Others may have cleared the lists, or Redis may have gone back to older ones.

        Args:
            is_due: Tells of a room whether its list is among them.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        self.doubt()
        self._turns = self._places(is_due)
        while await self._list_some():
            pass
        await self._presence.strike_again(is_due, self._attends)

    async def _list_some(self) -> bool:
        """List those again whose turn it is; false if these were the last ones."""
        together = list(islice(self._turns, RELIST_TOGETHER))
        try:
            await gather_started(*[self._list(*place) for place in together])
        except ReplyError:
            # What is wrong with one room's list must not keep others off theirs.
            _logger.exception("A room's sessions cannot be listed again")
        if len(together) < RELIST_TOGETHER:
            self._turns = self._places()
            return False
        return True

    def _places(
        self, is_due: Callable[[str], bool] = lambda _room: True
    ) -> Iterator[tuple[AttendingSession, str]]:
        """Yield each session with each room that it is in when its turn comes."""
        for session in list(self._sessions.values()):
            for room in list(session.rooms):
                if room in session.rooms and is_due(room):
                    yield session, room

    def _list(
        self, session: AttendingSession, room: str, *, may_wait: bool = False
    ) -> Coroutine[Any, Any, None]:
        return self._presence.enter(
            room=room,
            sid=session.sid,
            user=session.user,
            device=session.device,
            name=session.name,
            may_wait=may_wait,
        )
