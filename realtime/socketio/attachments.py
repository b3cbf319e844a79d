"""Socket.IO packets whose attachments are still to come, of all connections."""

from collections.abc import Callable
from typing import Final

from realtime.engineio.timers import TimeoutQueue, Timers
from realtime.socketio.packets import PendingPacket, SocketPacket

# Time for the next attachment of a packet to begin: as for the body of a POST. Clients
# send them together; what came of the packet is kept until then.
ATTACHMENT_SECONDS: Final = 20.0


class HalfPackets:
    """At most one packet a connection; bounded in bytes, and in the time it waits.

    Args:
        timers: The server's timer.
        seconds: For the next attachment to come.
        max_bytes: Of a packet's attachments together.
        missed: Called with the connection's id when none came in time.

    Attributes:
        packets: What there is, by connection.
    """

    def __init__(
        self,
        timers: Timers,
        *,
        seconds: float,
        max_bytes: int,
        missed: Callable[[str], None],
    ) -> None:
        self._max_bytes = max_bytes
        self._missed = missed
        self._awaited: TimeoutQueue[str] = TimeoutQueue(timers, seconds, self._on_due)
        self.packets: dict[str, PendingPacket] = {}

    def __len__(self) -> int:
        return len(self.packets)

    def begin(self, eio_sid: str, packet: SocketPacket) -> None:
        """Keep a packet until its attachments are there."""
        self.packets[eio_sid] = PendingPacket(packet, max_bytes=self._max_bytes)
        self.put_off(eio_sid)

    def put_off(self, eio_sid: str) -> None:
        """Give the next attachment its time anew."""
        self._awaited.add(eio_sid)

    def add(self, eio_sid: str, attachment: str | bytes) -> SocketPacket | None:
        """Take an attachment; return the packet once it is whole.

        Raises:
            SocketPacketError: as :meth:`PendingPacket.add`.
        """
        packet = self.packets[eio_sid].add(attachment)
        if packet is None:
            self.put_off(eio_sid)
        else:
            self.drop(eio_sid)
        return packet

    def drop(self, eio_sid: str) -> None:
        """Forget what there is of a connection."""
        self._awaited.discard(eio_sid)
        self.packets.pop(eio_sid, None)

    def _on_due(self, eio_sid: str, _due: float) -> None:
        self._missed(eio_sid)
