"""One WebSocket connection on its way in: from bytes to a session's packets.

It becomes the transport of its session at once, or by the protocol's "Upgrade".
"""

import asyncio

from realtime.engineio import frames, protocol
from realtime.engineio.context import Context
from realtime.engineio.event_loop import read_at_most
from realtime.engineio.frame_parser import Control, FrameParser
from realtime.engineio.frames import CloseCode, FrameError
from realtime.engineio.held_bytes import UNAUTHENTICATED_READ_BYTES
from realtime.engineio.interfaces import TransportOwner
from realtime.engineio.message_rate import MessageAllowance
from realtime.engineio.protocol import PacketError, Reason
from realtime.engineio.websocket_writer import CLOSING, FAILED, OPEN, WebSocketWriter


class WebSocketConnection(WebSocketWriter):
    """The WebSocket of a session, or one that asks to become it; reads frames.

    Arguments as of :class:`WebSocketWriter`.
    """

    __slots__ = ("_allowance", "_held_bytes", "_is_unauthenticated", "_parser")

    def __init__(
        self, context: Context, session: TransportOwner | None, *, is_upgrade: bool
    ) -> None:
        super().__init__(context, session, is_upgrade=is_upgrade)
        self._parser = FrameParser(context.options.first_packet_bytes)
        self._is_unauthenticated = context.options.is_limited_at_first
        # As counted among what unauthenticated connections make us hold.
        self._held_bytes = 0
        self._allowance = MessageAllowance(
            context.options.packet_rate(is_authenticated=False)
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from aiohttp; the user may be known already."""
        super().connection_made(transport)
        if self._is_unauthenticated:
            read_at_most(transport, UNAUTHENTICATED_READ_BYTES)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and handle each whole message in order."""
        if self._state in (OPEN, CLOSING):
            self._parser.feed(data)
            self._read_messages()
            if self._is_unauthenticated:
                self._count_held(self._parser.held_bytes)

    def set_authenticated(self, is_authenticated: bool) -> None:
        """Allow packets of full length, or only those of an unauthenticated client."""
        options = self._context.options
        self._is_unauthenticated = options.is_limited_at_first and not is_authenticated
        rate = options.packet_rate(is_authenticated=is_authenticated)
        self._allowance = MessageAllowance(rate)
        if is_authenticated:
            self._parser.max_size = options.max_http_buffer_size
            self._count_held(0)
        else:
            self._parser.max_size = options.first_packet_bytes
        if self._transport is not None:
            is_limited = self._is_unauthenticated
            size = UNAUTHENTICATED_READ_BYTES if is_limited else None
            read_at_most(self._transport, size)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count what was held for it no more; the rest as of every connection."""
        self._is_unauthenticated = False
        self._count_held(0)
        super().connection_lost(exc)

    def _count_held(self, now: int) -> None:
        before, self._held_bytes = self._held_bytes, now
        if not self._context.held_bytes.change(before, now):
            self.abort()

    def resume(self) -> None:
        """Go on reading after the session was paused."""
        self.data_received(b"")
        transport = self._transport
        session = self.session
        if transport is None or transport.is_closing():
            return
        if (session is None or not session.paused) and not transport.is_reading():
            transport.resume_reading()

    @property
    def is_receiving(self) -> bool:
        """Whether a message has begun to arrive and is not all there."""
        return self._parser.is_within_message

    def _read_messages(self) -> None:
        try:
            while self._state in (OPEN, CLOSING):
                session = self.session
                # Until its upgrade is complete a WebSocket brings no messages of the
                # session; its probe is answered even while the session is paused.
                if session is not None and session.paused and not self._is_upgrade:
                    self._pause()
                    return
                message = self._parser.next_message()
                if message is None:
                    return
                self._allowance.left -= 1
                if self._allowance.left < 0:
                    self._limit_rate()
                self._on_message(message)
        except FrameError as error:
            if error.code == CloseCode.TOO_BIG:
                self._context.limited["payload_limit_bytes"] += 1
            self._fail(error.code, str(error))
        except PacketError as error:
            self._fail(CloseCode.PROTOCOL_ERROR, str(error))

    def _limit_rate(self) -> None:
        """Slow down a client that sends more messages than ``message_rate`` allows.

        Raises:
            PacketError: on a connection that is upgrading or closing: it needs few
                messages, and has no session that could be slowed down.
        """
        wait = self._allowance.refill(asyncio.get_running_loop().time())
        if wait <= 0:
            return
        self._context.limited["rate_messages"] += 1
        if self._is_upgrade or self._is_unauthenticated or self.session is None:
            raise PacketError("more packets than a beginning or an end needs")
        self.session.slow_down(wait)

    def _pause(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.pause_reading()

    def _on_message(self, message: str | bytes | Control) -> None:
        session = self.session
        if (
            type(message) is str
            and message[:1] == protocol.MESSAGE
            and session is not None
            and not self._is_upgrade
            and self._state == OPEN
        ):
            # What nearly every frame holds.
            session.receive(protocol.MESSAGE, message[1:])
        elif isinstance(message, Control):
            self._on_control(message)
        elif self._state == OPEN:
            if self._is_upgrade:
                self._on_upgrade_packet(message)
            elif session is not None:
                if isinstance(message, bytes):
                    session.receive(protocol.MESSAGE, message)
                else:
                    session.receive(*_packet(message))

    def _on_control(self, control: Control) -> None:
        # A pong and a fragment need no answer.
        if control.opcode == frames.PING:
            self.write(frames.pong_frame(control.payload))
        elif control.opcode == frames.CLOSE:
            # The same code goes back (5.5.1), and the server hangs up first (7.1.1).
            self.write(frames.close_frame(control.code))
            self._state = FAILED
            self._context.closing.add(self)
            if self._transport is not None:
                self._transport.close()
            self._leave(Reason.TRANSPORT_CLOSE)

    def _on_upgrade_packet(self, message: str | bytes) -> None:
        """Section "Upgrade": a probe, then the upgrade packet, and nothing else."""
        session = self.session
        if session is None or session.closed:
            self.close()
        elif message == protocol.PROBE:
            self.send_packet(protocol.PROBE_ANSWER)
            session.accept_probe()
        elif message == protocol.UPGRADE and session.is_probed:
            self._is_upgrade = False
            session.complete_upgrade()
        else:
            raise PacketError("not the packet that an upgrade needs")


def _packet(text: str) -> protocol.Packet:
    """Decode a text frame; base64 belongs to polling only."""
    if text[:1] == protocol.BINARY_PREFIX:
        raise PacketError("base64 packet in a WebSocket frame")
    return protocol.decode_packet(text)
