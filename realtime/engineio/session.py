"""One Engine.IO session: its transport, its state, and what it is busy with."""

import asyncio
from typing import Any, Final

from realtime.addresses import Address
from realtime.engineio import frames, protocol
from realtime.engineio.attempts import Attempts
from realtime.engineio.context import Context
from realtime.engineio.flow_control import FlowControl
from realtime.engineio.frames import CloseCode
from realtime.engineio.message_rate import MessageAllowance
from realtime.engineio.polling import Polling
from realtime.engineio.protocol import PacketError, Reason
from realtime.engineio.websocket import WebSocketConnection
from realtime.engineio.websocket_writer import NO_SOCKET

# Ends after which one more GET is answered: for what was queued when the server closed,
# or because it was on its way when the client did.
_ORDERLY: Final = frozenset((Reason.SERVER_DISCONNECT, Reason.CLIENT_DISCONNECT))


class Session(FlowControl):
    """A client's session over polling, WebSocket, or the one and then the other.

    It has no task, queue or timer of its own. ``closed``, ``connected`` and
    ``upgraded`` are read as on python-engineio's sockets.

    Args:
        context: What the server's sessions share.
        sid: Its id.

    Attributes:
        connected: Whether the handshake was answered.
        is_probed: Whether a WebSocket that asks to become the transport has sent its
            probe.
        address: Where it comes from, while it is counted there.
        line: Where it takes its turns until its user is known.
        spent: What it took of it, and gives back then: 1 an attempt.
        is_authenticated: Whether its user is known, by the layer above.
        socket_number: The descriptor of an open WebSocket behind which nothing waits:
            broadcasts write to it, and touch none of the objects in between. Else
            ``NO_SOCKET``.
    """

    __slots__ = (
        "_transport",
        "_upgrading",
        "_user_session",
        "address",
        "connected",
        "is_authenticated",
        "is_probed",
        "line",
        "socket_number",
        "spent",
    )

    def __init__(self, context: Context, sid: str) -> None:
        super().__init__(context, sid)
        self._transport: Polling | WebSocketConnection = Polling(
            self,
            context.options.write_buffer_bytes,
            context.options.packet_rate(is_authenticated=False),
        )
        # The WebSocket that asks to become the transport.
        self._upgrading: WebSocketConnection | None = None
        self.is_probed = False
        self.connected = False
        self.address: Address | None = None
        self.is_authenticated = False
        self.line: Attempts | None = None
        self.spent = 0.0
        self.socket_number = NO_SOCKET
        self._user_session: dict[Any, Any] | None = None

    # what python-engineio's users know

    @property
    def upgraded(self) -> bool:
        """Whether the transport is a WebSocket."""
        return isinstance(self._transport, WebSocketConnection)

    @property
    def session(self) -> dict[Any, Any]:
        """The application's dictionary for this session."""
        if self._user_session is None:
            self._user_session = {}
        return self._user_session

    @session.setter
    def session(self, value: dict[Any, Any]) -> None:
        self._user_session = value

    # out

    def send(self, data: str | bytes) -> None:
        """Send a message, now if the transport is a WebSocket."""
        if self._context.observer is not None:
            self._context.observer.packets_sent(1, len(data))
        self._transport.send_message(data)

    def send_corked(self, data: str | bytes) -> None:
        """Send a message; while corked, in one write with what follows it."""
        transport = self._transport
        if not self._context.cork.is_corked or not isinstance(
            transport, WebSocketConnection
        ):
            self.send(data)
            return
        if self._context.observer is not None:
            self._context.observer.packets_sent(1, len(data))
        self._context.cork.append(self, frames.message_frame(data))

    def send_packet(self, packet: str) -> None:
        """Send an encoded packet."""
        self._transport.send_packet(packet)

    def send_encoded(self, frame: bytes, packets: list[str]) -> None:
        """Send what was encoded once for many sessions, in both forms."""
        if self._context.observer is not None:
            self._context.observer.packets_sent(len(packets), len(frame))
        transport = self._transport
        if isinstance(transport, WebSocketConnection):
            transport.write(frame)
        else:
            transport.send_packets(packets)

    def write_frames(self, data: bytes) -> None:
        """Write complete frames, or what the socket did not take of some."""
        if isinstance(self._transport, WebSocketConnection):
            self._transport.write(data)

    def ping(self) -> None:
        """Send the heartbeat's ping."""
        if isinstance(self._transport, WebSocketConnection):
            self._transport.write(frames.PING_PACKET_FRAME)
        else:
            self._transport.send_packet(protocol.PING)

    # in

    def receive(self, kind: str, data: str | bytes) -> None:
        """Handle a packet from the client.

        Raises:
            PacketError: for a packet that clients do not send.
        """
        if self.closed:
            return
        if self._context.observer is not None:
            self._context.observer.packet_received(len(data))
        if kind == protocol.MESSAGE:
            self._context.dispatcher.dispatch(self, data)
        elif kind == protocol.PONG:
            self._context.heartbeat.pong(self)
        elif kind == protocol.CLOSE:
            self.close(Reason.CLIENT_DISCONNECT)
        elif kind not in (protocol.UPGRADE, protocol.NOOP):
            raise PacketError("a packet that only servers send")

    def take(self, allowance: MessageAllowance) -> None:
        """Count a packet; slow a client down that sends more than it may.

        Raises:
            PacketError: Nobody knows its user, and it sent more than it needs.
        """
        allowance.left -= 1
        if allowance.left >= 0:
            return
        wait = allowance.refill(asyncio.get_running_loop().time())
        if wait <= 0:
            return
        options = self._context.options
        self._context.limited["rate_messages"] += 1
        if options.is_limited_at_first and not self.is_authenticated:
            raise PacketError("more packets than are needed to be let in")
        self.slow_down(wait)

    @property
    def is_pong_delayed(self) -> bool:
        """Whether a pong may be late for a reason that is no fault of the client.

        It comes behind what we do not read for now, or behind a long message, such as
        an image, that is still arriving.
        """
        return self.paused or self._transport.is_receiving

    @property
    def unsent_bytes(self) -> int:
        """Bytes on their way to the client that the network has not taken yet."""
        return self._transport.unsent_bytes

    def can_buffer(self, size: int) -> bool:
        """Whether a message of so many bytes can be sent now and not end the session.

        Beside one long message, however long, only so much more may wait.
        """
        return self._transport.can_buffer(size)

    # transports

    @property
    def polling(self) -> Polling | None:
        """The polling transport, None once there is a WebSocket."""
        return self._transport if isinstance(self._transport, Polling) else None

    @property
    def is_upgrading(self) -> bool:
        """Whether a WebSocket is asking to become the transport."""
        return self._upgrading is not None

    def authentication_changed(self) -> None:
        """Hold packets to the length that the client may send now."""
        if isinstance(self._transport, WebSocketConnection):
            self._transport.set_authenticated(self.is_authenticated)
        else:
            self._transport.set_rate(
                self._context.options.packet_rate(
                    is_authenticated=self.is_authenticated
                )
            )

    def begin_upgrade(self, candidate: WebSocketConnection) -> None:
        """Give a WebSocket ``upgrade_timeout`` seconds to become the transport."""
        self._upgrading = candidate
        self.is_probed = False
        self._context.upgrades.add(self)

    def accept_probe(self) -> None:
        """Take note of the WebSocket's probe; a waiting poll is answered at once.

        A poll with nothing to fetch gets ``noop``, so that the client can stop polling.
        """
        self.is_probed = True
        if self.polling is not None:
            self.polling.release()

    def cancel_upgrade(self, candidate: object) -> None:
        """Go on polling if it is this WebSocket that asked to become the transport."""
        if self._upgrading is candidate:
            self._upgrading = None
            self.is_probed = False
            self._context.upgrades.discard(self)

    def time_out_upgrade(self) -> None:
        """Close the WebSocket that did not complete the upgrade; polling goes on."""
        candidate = self._upgrading
        if candidate is not None:
            self.cancel_upgrade(candidate)
            candidate.close()

    def complete_upgrade(self) -> None:
        """Make the WebSocket that asked for it the transport."""
        if self._upgrading is not None:
            self.upgrade_to(self._upgrading)

    def upgrade_to(self, connection: WebSocketConnection) -> None:
        """Make a WebSocket the transport; what waited for a poll goes over it first."""
        polling = self.polling
        self._upgrading = None
        self._context.upgrades.discard(self)
        self._transport = connection
        self.authentication_changed()
        self.socket_number = connection.socket_number()
        if polling is None:
            return
        for packet in polling.take_all():
            if packet[0] == protocol.BINARY_PREFIX:
                connection.send_message(bytes(protocol.decode_packet(packet)[1]))  # type: ignore[arg-type]
            elif packet != protocol.NOOP:
                connection.send_packet(packet)
        polling.close(protocol.NOOP)

    def _resume_reading(self) -> None:
        if isinstance(self._transport, WebSocketConnection):
            self._transport.resume()

    # the end

    def time_out(self) -> None:
        """End the session: no pong came in time."""
        self.close(Reason.PING_TIMEOUT)

    def close(self, reason: str, code: int = CloseCode.NORMAL, why: str = "") -> None:
        """End the session; the ``disconnect`` handler gets the reason.

        A WebSocket's close frame has the code, and why, for whoever writes the client.

        Over polling a waiting GET gets ``close``, or ``noop`` when the client itself
        closed. A GET that comes within ``close_timeout`` seconds gets the same, and
        before it what was queued when the server closed.
        """
        if self.closed:
            return
        self._context.cork.flush(self)
        if self.closed:
            # What was kept did not fit in: that was the end already.
            return
        self._end_flow_control()
        self.closed = True
        self.socket_number = NO_SOCKET
        candidate, self._upgrading = self._upgrading, None
        if candidate is not None:
            candidate.close(code)
        if isinstance(self._transport, WebSocketConnection):
            self._transport.close(code, why)
        else:
            self._close_polling(self._transport, reason)
        self._context.registry.remove(self, reason)

    def _close_polling(self, polling: Polling, reason: str) -> None:
        client_closed = reason == Reason.CLIENT_DISCONNECT
        if reason != Reason.SERVER_DISCONNECT:
            polling.take_all()
        polling.close(protocol.NOOP if client_closed else protocol.CLOSE)
        if reason in _ORDERLY and self.connected:
            self._context.unfetched.keep(self.sid, polling)
        elif not polling.poll_active:
            polling.abandon()
