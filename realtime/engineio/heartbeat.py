"""The heartbeat: pings to all sessions, and an end to those that do not answer."""

from typing import Final

from realtime.engineio.interfaces import HeartbeatPeer
from realtime.engineio.timers import TimeoutQueue, Timers

# Share of the time for a pong: a ping that is sent later than this was held up by a
# blocked loop, and the deadline counts from the sending, not from when it was due.
_LATE_SHARE: Final = 0.25
# Ping timeouts in a row that are excused when the pong may be delayed: behind messages
# that the server does not read for now, or behind an image that is arriving. After
# these the handlers are taken to hang, or the client to dribble on purpose.
_SPARED_TIMEOUTS: Final = 5


class Heartbeat:
    """Section "Heartbeat" of the Engine.IO protocol, for all sessions.

    A ping goes out ``interval`` seconds after the session began or its last pong came;
    the session ends when no pong comes within ``timeout`` seconds. A client that reads
    what is on its way, such as a long answer, has that time anew: the ping is behind.

    Args:
        timers: The server's timer.
        interval: Seconds.
        timeout: Seconds.
        enforced: Whether a missing pong ends the session.

    Attributes:
        pinged: The sessions that were pinged and have not answered yet.
        spared_timeouts: How often in a row a late pong was excused, by session.
        unsent_bytes: What was unsent when a session last got more time; of few.
    """

    def __init__(
        self, timers: Timers, *, interval: float, timeout: float, enforced: bool = True
    ) -> None:
        self._timers = timers
        self._enforced = enforced
        self._unpinged: TimeoutQueue[HeartbeatPeer] = TimeoutQueue(
            timers, interval, self._send_ping
        )
        self.pinged: TimeoutQueue[HeartbeatPeer] = TimeoutQueue(
            timers, timeout, self._on_missed_pong
        )
        self.spared_timeouts: dict[HeartbeatPeer, int] = {}
        self.unsent_bytes: dict[HeartbeatPeer, int] = {}

    def __len__(self) -> int:
        return len(self._unpinged) + len(self.pinged)

    def start(self, session: HeartbeatPeer) -> None:
        """Begin with a session whose handshake is answered now."""
        self._unpinged.add(session)

    def pong(self, session: HeartbeatPeer) -> None:
        """Note a pong; one that answers no ping changes nothing."""
        if self.pinged.discard(session):
            self._forget_delays(session)
            self._unpinged.add(session)

    def stop(self, session: HeartbeatPeer) -> None:
        """Forget a session."""
        self._unpinged.discard(session)
        self.pinged.discard(session)
        self._forget_delays(session)

    def is_overdue(self, session: HeartbeatPeer) -> bool:
        """Return whether the session's time is over and only the timer is late.

        A request may be read in the very turn of the loop in which a timer is due.
        """
        now = self._timers.time()
        due = self.pinged.due(session)
        if due is None:
            due = self._unpinged.due(session)
            if due is not None:
                due += self.pinged.seconds
        is_over = self._enforced and due is not None and due <= now
        return is_over and not session.is_pong_delayed and not self._is_reading(session)

    def _send_ping(self, session: HeartbeatPeer, due: float) -> None:
        now = self._timers.time()
        if self._enforced:
            is_late = now - due > self.pinged.seconds * _LATE_SHARE
            self.pinged.add(session, now if is_late else due)
        else:
            self._unpinged.add(session)
        session.ping()

    def _on_missed_pong(self, session: HeartbeatPeer, _due: float) -> None:
        if self._is_reading(session):
            self.unsent_bytes[session] = session.unsent_bytes
            self.pinged.add(session)
            return
        spared = self.spared_timeouts.get(session, 0)
        if session.is_pong_delayed and spared < _SPARED_TIMEOUTS:
            self.spared_timeouts[session] = spared + 1
            self.pinged.add(session)
            return
        self._forget_delays(session)
        session.time_out()

    def _is_reading(self, session: HeartbeatPeer) -> bool:
        """Return whether less is unsent than the last time, or the first time anything.

        Whether the ping is behind it is not known: with a poll's answer it may be.
        """
        before = self.unsent_bytes.get(session)
        now = session.unsent_bytes
        return now > 0 if before is None else now < before

    def _forget_delays(self, session: HeartbeatPeer) -> None:
        self.spared_timeouts.pop(session, None)
        self.unsent_bytes.pop(session, None)
