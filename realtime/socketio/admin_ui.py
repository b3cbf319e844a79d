"""The Socket.IO admin UI's reports, from our own engine.

python-socketio's instrumentation counts packets by replacing methods of its stock
engine. This one is told by ours.
"""

from typing import Any

from engineio.async_socket import AsyncSocket
from socketio.async_admin import InstrumentedAsyncServer

_WRAPPED = ("handle_post_request", "_websocket_handler", "_send_ping")


class InstrumentedServer(InstrumentedAsyncServer):
    """Reports what a :class:`ChatroomServer` does to the admin UI.

    Takes the arguments of ``socketio.AsyncServer.instrument``.
    """

    def instrument(self) -> None:
        """Begin to report."""
        # The library wraps methods of the stock engine, which is not in use, for the
        # whole process: they are put back.
        kept = {name: getattr(AsyncSocket, name) for name in _WRAPPED}
        self.sio.eio._ok = None
        super().instrument()
        for name, method in kept.items():
            setattr(AsyncSocket, name, method)
        self.sio.eio.engine.context.observer = self

    def uninstrument(self) -> None:
        """Report no more."""
        super().uninstrument()
        self.sio.eio.engine.context.observer = None

    def packet_received(self, size: int) -> None:
        """Count a packet that a client sent; ``size`` in bytes or characters."""
        self._count("In", 1, size)

    def packets_sent(self, count: int, size: int) -> None:
        """Count packets sent to a client; ``size`` in bytes or characters."""
        self._count("Out", count, size)

    def _count(self, direction: str, packets: int, size: int) -> None:
        buffer: Any = self.event_buffer
        buffer.push(f"packets{direction}", packets)
        buffer.push(f"bytes{direction}", size)
