"""The registry of a server's open sessions, and what is undone when one ends."""

from collections import Counter

from realtime.engineio.admission import Admission
from realtime.engineio.dispatch import Dispatcher
from realtime.engineio.heartbeat import Heartbeat
from realtime.engineio.interfaces import EndedSession, UpgradingSession
from realtime.engineio.protocol import Reason
from realtime.engineio.session import Session
from realtime.engineio.timers import TimeoutQueue


class SessionRegistry:
    """The open sessions by id.

    Args:
        heartbeat: Forgets a session that ends.
        upgrades: As ``heartbeat``.
        admission: As ``heartbeat``.
        dispatcher: Announces the end of a session whose connect was announced.
        limited: Counts sessions that ended since they read too slowly.
    """

    def __init__(
        self,
        *,
        heartbeat: Heartbeat,
        upgrades: TimeoutQueue[UpgradingSession],
        admission: Admission,
        dispatcher: Dispatcher,
        limited: Counter[str],
    ) -> None:
        self.sessions: dict[str, Session] = {}
        self._heartbeat = heartbeat
        self._upgrades = upgrades
        self._admission = admission
        self._dispatcher = dispatcher
        self._limited = limited

    def remove(self, session: EndedSession, reason: str) -> None:
        """Take a closed session out of everything, and announce its end."""
        self.sessions.pop(session.sid, None)
        self._heartbeat.stop(session)
        self._upgrades.discard(session)
        self._admission.remove(session)
        if reason == Reason.SLOW_CONSUMER:
            self._limited["write_buffer_bytes"] += 1
        if session.connected:
            self._dispatcher.announce_disconnect(session, reason)
