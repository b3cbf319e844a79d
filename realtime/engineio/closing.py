"""What outlives its session for a moment: closing connections, unfetched packets."""

from typing import Final

from realtime.engineio.interfaces import Abortable
from realtime.engineio.polling import Polling
from realtime.engineio.timers import TimeoutQueue, Timers

# WebSockets that are being closed, at most. No session counts them any more, and
# clients that never answer a close frame could open thousands within the timeout.
CLOSING_CONNECTIONS: Final = 1_000


class ClosingConnections(TimeoutQueue[Abortable]):
    """WebSockets that are being closed, each aborted when it takes too long.

    Args:
        timers: The server's timer.
        seconds: Time for the client's close frame and for what is unsent.
    """

    def __init__(self, timers: Timers, seconds: float) -> None:
        super().__init__(timers, seconds, lambda connection, _due: connection.abort())

    def abort_oldest_if_full(self) -> None:
        """Abort the connection that has been closing for longest, if too many are."""
        if len(self) >= CLOSING_CONNECTIONS:
            oldest = self.pop_first()
            if oldest is not None:
                oldest.abort()

    def abort_all(self) -> None:
        """Abort all of them; each takes itself out when it is lost."""
        for connection in self.items():
            connection.abort()


class UnfetchedPackets:
    """What the clients of closed polling sessions have not fetched yet.

    Args:
        timers: The server's timer.
        seconds: Time to fetch it.
    """

    def __init__(self, timers: Timers, seconds: float) -> None:
        self._transports: dict[str, Polling] = {}
        self._deadlines: TimeoutQueue[str] = TimeoutQueue(
            timers, seconds, self._give_up
        )

    def __len__(self) -> int:
        return len(self._transports)

    def keep(self, sid: str, polling: Polling) -> None:
        """Keep the transport of a closed session until its next GET."""
        self._transports[sid] = polling
        self._deadlines.add(sid)

    def get(self, sid: str) -> Polling | None:
        """Return the transport of a closed session; None if nothing is left."""
        return self._transports.get(sid)

    def drop(self, sid: str) -> None:
        """Forget a closed session: its packets were fetched, or never will be."""
        self._transports.pop(sid, None)
        self._deadlines.discard(sid)

    def _give_up(self, sid: str, _due: float) -> None:
        polling = self.get(sid)
        self.drop(sid)
        if polling is not None:
            polling.abandon()

    def clear(self) -> None:
        """Forget all of them."""
        self._transports.clear()
