"""One WebSocket connection: frames in and out, and the closing handshake.

The asyncio protocol that takes a connection over from aiohttp. Every write goes
through :meth:`WebSocketConnection.write`, which never touches a closed transport.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from realtime.engineio import frames, protocol
from realtime.engineio.aiohttp_upgrade import let_go
from realtime.engineio.frame_parser import Control, FrameError, FrameParser
from realtime.engineio.frames import CloseCode
from realtime.engineio.protocol import PacketError, Reason
from realtime.message_pace import Pace

if TYPE_CHECKING:
    from realtime.engineio.hub import Hub
    from realtime.engineio.session import Session

_OPEN: Final = 0
#: A close frame was sent: what arrives is read only to find the answer to it.
_CLOSING: Final = 1
#: The connection failed: what arrives is thrown away until the client hangs up.
_FAILED: Final = 2
_CLOSED: Final = 3

NO_SOCKET: Final = -1
"""No descriptor: frames go through the transport."""


class WebSocketConnection(asyncio.Protocol):
    """The WebSocket of a session, or one that asks to become it ("Upgrade").

    Args:
        hub: What the server's sessions share.
        session: Its session.
        is_upgrade: Whether the session polls, and this connection is to prove itself.
    """

    __slots__ = (
        "_hub",
        "_is_upgrade",
        "_longest",
        "_pace",
        "_parser",
        "_state",
        "_transport",
        "session",
    )

    def __init__(
        self, hub: "Hub", session: "Session | None", *, is_upgrade: bool
    ) -> None:
        self._hub = hub
        self.session = session
        self._is_upgrade = is_upgrade
        self._parser = FrameParser(hub.options.max_http_buffer_size)
        self._pace = Pace(hub.options.message_rate)
        self._transport: asyncio.Transport | None = None
        self._state = _OPEN
        # Bytes of the longest message written since nothing waited.
        self._longest = 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from aiohttp."""
        stream: asyncio.Transport = transport  # type: ignore[assignment] # always
        # To be told as soon as the kernel does not take everything at once.
        stream.set_write_buffer_limits(high=0)
        self._transport = stream

    def pause_writing(self) -> None:
        """Take note that bytes wait: what is written now must go behind them."""
        if self.session is not None:
            self.session.socket_number = NO_SOCKET

    def resume_writing(self) -> None:
        """Take note that nothing waits any more."""
        if self.session is not None and not self._is_upgrade:
            self.session.socket_number = self.socket_number()

    def socket_number(self) -> int:
        """Return the descriptor that frames may be written to now, or ``NO_SOCKET``."""
        transport = self._transport
        if transport is None or self._state != _OPEN or transport.is_closing():
            return NO_SOCKET
        if transport.get_write_buffer_size() or not _is_plain(transport):
            return NO_SOCKET
        number: int = transport.get_extra_info("socket").fileno()
        return number

    def data_received(self, data: bytes) -> None:
        """Parse what came, and handle each whole message in order."""
        if self._state in (_OPEN, _CLOSING):
            self._parser.feed(data)
            self._read_messages()

    def eof_received(self) -> None:
        """Let asyncio close the transport, which must not take for ever."""
        self._hub.closing.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, unless it has ended or lives on another transport."""
        self._hub.closing.discard(self)
        self._state = _CLOSED
        if self._transport is not None:
            let_go(self._transport)
        self._transport = None
        self._leave(Reason.TRANSPORT_CLOSE if exc is None else Reason.TRANSPORT_ERROR)

    # the session's side

    def send_message(self, data: str | bytes) -> None:
        """Write an Engine.IO message in its own frame."""
        self.write(frames.message_frame(data))

    def send_packet(self, packet: str) -> None:
        """Write an encoded packet in its own frame."""
        self.write(frames.text_frame(packet))

    def write(self, data: bytes) -> None:
        """Write complete frames now; a client that reads too slowly is cut off.

        ``write_buffer_bytes`` may wait beside the longest message since nothing waited:
        a long answer is no sign of a slow reader, who could not come back to another.

        Nothing happens on a connection that is closing or closed.
        """
        transport = self._transport
        if transport is None or self._state != _OPEN or transport.is_closing():
            return
        size = len(data)
        if not transport.get_write_buffer_size():
            self._longest = size
        elif self.has_place(size):
            self._longest = max(size, self._longest)
        else:
            self._cut_off()
            return
        kept = self._hub.cork.frames
        if kept and self.session is not None:
            data = kept.pop(self.session, b"") + data
        transport.write(data)

    def resume(self) -> None:
        """Go on reading after the session was paused."""
        self._read_messages()
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

    @property
    def unsent(self) -> int:
        """Bytes that wait for the network to take them."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def has_place(self, size: int) -> bool:
        """Whether :meth:`write` would take so many bytes now."""
        waiting = self.unsent
        beside = waiting + size - max(size, self._longest)
        return not waiting or beside <= self._hub.options.write_buffer_bytes

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, RFC 6455 section 7.1.2; the session is let go.

        A client that does not answer within ``close_timeout`` is cut off.
        """
        self.session = None
        transport = self._transport
        if transport is None or self._state != _OPEN:
            return
        self.write(frames.close_frame(code, reason))
        self._state = _CLOSING
        self._hub.closing.add(self)
        if not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection and whatever was not sent."""
        self._state = _CLOSED
        if self._transport is not None:
            self._transport.abort()

    # messages

    def _read_messages(self) -> None:
        try:
            while self._state in (_OPEN, _CLOSING):
                session = self.session
                # A WebSocket that is yet to be the transport brings no messages of the
                # session; its probe is answered whatever the session is busy with.
                if session is not None and session.paused and not self._is_upgrade:
                    self._pause()
                    return
                message = self._parser.next_message()
                if message is None:
                    return
                self._pace.left -= 1
                if self._pace.left < 0:
                    self._keep_pace()
                self._on_message(message)
        except FrameError as error:
            if error.code == CloseCode.TOO_BIG:
                self._hub.limited["payload_limit_bytes"] += 1
            self._fail(error.code, str(error))
        except PacketError as error:
            self._fail(CloseCode.PROTOCOL_ERROR, str(error))

    def _keep_pace(self) -> None:
        """Let a client wait that sends more messages than anybody needs to.

        Raises:
            PacketError: on a connection that has nothing but an upgrade or an end to
                talk about: no session of its own is there to wait.
        """
        wait = self._pace.refill(asyncio.get_running_loop().time())
        if wait <= 0:
            return
        self._hub.limited["rate_messages"] += 1
        if self._is_upgrade or self.session is None:
            raise PacketError("more packets than an upgrade or an end needs")
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
            and self._state == _OPEN
        ):
            # What nearly every frame holds.
            session.receive(protocol.MESSAGE, message[1:])
        elif isinstance(message, Control):
            self._on_control(message)
        elif self._state == _OPEN:
            if self._is_upgrade:
                self._prove(message)
            elif session is not None:
                if isinstance(message, bytes):
                    session.receive(protocol.MESSAGE, message)
                else:
                    session.receive(*_packet(message))

    def _on_control(self, control: Control) -> None:
        # A pong, and the mark of a fragment, ask for nothing.
        if control.opcode == frames.PING:
            self.write(frames.pong_frame(control.payload))
        elif control.opcode == frames.CLOSE:
            # The same code goes back (5.5.1), and the server hangs up first (7.1.1).
            self.write(frames.close_frame(control.code))
            self._state = _FAILED
            self._hub.closing.add(self)
            if self._transport is not None:
                self._transport.close()
            self._leave(Reason.TRANSPORT_CLOSE)

    def _prove(self, message: str | bytes) -> None:
        """Section "Upgrade": a probe, then the upgrade packet, and nothing else."""
        session = self.session
        if session is None or session.closed:
            self.close()
        elif message == protocol.PROBE:
            self.send_packet(protocol.PROBE_ANSWER)
            session.release_poll()
        elif message == protocol.UPGRADE and session.is_probed:
            self._is_upgrade = False
            session.upgrade_to(self)
        else:
            raise PacketError("not the packet that an upgrade needs")

    # ends

    def _leave(self, reason: str) -> None:
        """Tell the session that this connection is over for it."""
        session, self.session = self.session, None
        if session is None:
            return
        if self._is_upgrade:
            session.give_up_upgrade(self)
        else:
            session.close(reason)

    def _fail(self, code: int, reason: str) -> None:
        """Fail the connection, RFC 6455 section 7.1.7.

        Only the server's side is closed at once. What arrives is thrown away until
        the client hangs up too: closing with unread data would reset the connection,
        and the client might not see the close frame.
        """
        self.write(frames.close_frame(code, reason))
        transport = self._transport
        if self._state != _CLOSED and transport is not None:
            self._state = _FAILED
            self._hub.closing.add(self)
            _close_our_side(transport)
        self._leave(Reason.PARSE_ERROR)

    def _cut_off(self) -> None:
        session, self.session = self.session, None
        self.abort()
        if session is not None:
            session.close(Reason.SLOW_CONSUMER)


def _is_plain(transport: asyncio.Transport) -> bool:
    """Return whether this transport writes to its socket at once and unchanged."""
    # Other loops keep writes back for their next turn; TLS encrypts them.
    return (
        isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
        and transport.get_extra_info("sslcontext") is None
        and transport.get_extra_info("socket") is not None
    )


def _close_our_side(transport: asyncio.Transport) -> None:
    # TLS cannot close one side; the deadline has to do there.
    if transport.is_closing() or not transport.can_write_eof():
        return
    try:
        transport.write_eof()
    except OSError:
        # The client has reset the connection; asyncio is about to say so.
        transport.abort()


def _packet(text: str) -> protocol.Packet:
    """Decode a text frame; base64 belongs to polling only."""
    if text[:1] == protocol.BINARY_PREFIX:
        raise PacketError("base64 packet in a WebSocket frame")
    return protocol.decode_packet(text)
