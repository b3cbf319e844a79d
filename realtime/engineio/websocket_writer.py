"""One WebSocket connection on its way out: what is written to it, and how it ends.

Every write goes through :meth:`WebSocketWriter.write`, which never touches a closed
transport. What comes in is read by :mod:`realtime.engineio.websocket`.
"""

import asyncio
from typing import Final

from realtime.engineio import frames
from realtime.engineio.context import Context
from realtime.engineio.event_loop import break_reference_cycles
from realtime.engineio.frames import CloseCode
from realtime.engineio.interfaces import TransportOwner
from realtime.engineio.protocol import Reason

OPEN: Final = 0
# A close frame was sent: what arrives is read only to find the answer to it.
CLOSING: Final = 1
# The connection failed: what arrives is thrown away until the client hangs up.
FAILED: Final = 2
CLOSED: Final = 3

# No descriptor: frames go through the transport.
NO_SOCKET: Final = -1


class WebSocketWriter(asyncio.Protocol):
    """The asyncio protocol that takes a connection over from aiohttp; writes frames.

    Args:
        context: What the server's sessions share.
        session: Its session.
        is_upgrade: Whether the session polls, and this connection asks to become its
            transport.
    """

    __slots__ = (
        "_context",
        "_is_upgrade",
        "_longest_size",
        "_state",
        "_transport",
        "session",
    )

    def __init__(
        self, context: Context, session: TransportOwner | None, *, is_upgrade: bool
    ) -> None:
        self._context = context
        self.session = session
        self._is_upgrade = is_upgrade
        self._transport: asyncio.Transport | None = None
        self._state = OPEN
        # Bytes of the longest message written since nothing waited.
        self._longest_size = 0

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over from aiohttp."""
        stream: asyncio.Transport = transport  # type: ignore[assignment] # always
        # So that pause_writing is called as soon as the kernel's buffer is full.
        stream.set_write_buffer_limits(high=0)
        self._transport = stream

    def pause_writing(self) -> None:
        """Keep broadcasts off the socket: what they write must go behind what waits."""
        if self.session is not None:
            self.session.socket_number = NO_SOCKET

    def resume_writing(self) -> None:
        """Let broadcasts write to the socket again: nothing waits any more."""
        if self.session is not None and not self._is_upgrade:
            self.session.socket_number = self.socket_number()

    def socket_number(self) -> int:
        """Return the descriptor that frames may be written to now, or ``NO_SOCKET``."""
        transport = self._transport
        if transport is None or self._state != OPEN or transport.is_closing():
            return NO_SOCKET
        if transport.get_write_buffer_size() or not _is_plain(transport):
            return NO_SOCKET
        number: int = transport.get_extra_info("socket").fileno()
        return number

    def eof_received(self) -> None:
        """Let asyncio close the transport, within ``close_timeout``."""
        self._context.closing.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session, unless it has ended or lives on another transport."""
        self._context.closing.discard(self)
        self._state = CLOSED
        if self._transport is not None:
            break_reference_cycles(self._transport)
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
        if transport is None or self._state != OPEN or transport.is_closing():
            return
        size = len(data)
        if not transport.get_write_buffer_size():
            self._longest_size = size
        elif self.can_buffer(size):
            self._longest_size = max(size, self._longest_size)
        else:
            self._cut_off()
            return
        kept = self._context.cork.frames
        if kept and self.session is not None:
            data = kept.pop(self.session, b"") + data
        transport.write(data)

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait for the network to take them."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def can_buffer(self, size: int) -> bool:
        """Whether :meth:`write` would take so many bytes now."""
        waiting = self.unsent_bytes
        beside = waiting + size - max(size, self._longest_size)
        return not waiting or beside <= self._context.options.write_buffer_bytes

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake, RFC 6455 section 7.1.2; forget the session.

        A client that does not answer within ``close_timeout`` is cut off.
        """
        self.session = None
        transport = self._transport
        if transport is None or self._state != OPEN:
            return
        self.write(frames.close_frame(code, reason))
        self._state = CLOSING
        self._context.closing.add(self)
        if not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection and whatever was not sent."""
        self._state = CLOSED
        if self._transport is not None:
            self._transport.abort()

    # how it ends

    def _leave(self, reason: str) -> None:
        """End the session, or its upgrade: this connection is over for it."""
        session, self.session = self.session, None
        if session is None:
            return
        if self._is_upgrade:
            session.cancel_upgrade(self)
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
        if self._state != CLOSED and transport is not None:
            self._state = FAILED
            self._context.closing.add(self)
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
