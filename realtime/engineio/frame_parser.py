"""WebSocket frames from clients (RFC 6455 section 5), parsed without I/O.

Written here rather than taken from aiohttp because a server must refuse unmasked
frames (5.1) and aiohttp's reader does not; with that check beside it, it was also the
slower of the two (``docs/decisions``). Unmasking stays aiohttp's compiled function.
"""

import codecs
from typing import Final, NamedTuple

from aiohttp._websocket.helpers import websocket_mask

from realtime.engineio import frames
from realtime.engineio.frames import CloseCode

_FIN: Final = 0x80
_RESERVED_BITS: Final = 0x70
_OPCODE_BITS: Final = 0x0F
_MASKED: Final = 0x80
_LENGTH_BITS: Final = 0x7F
_LENGTH_IS_16_BITS: Final = 126
_CONTROL: Final = 0x8
# RFC 6455 section 5.5: the longest payload of a control frame, in bytes.
_MAX_CONTROL_PAYLOAD: Final = 125
_TEXT_FRAME: Final = _FIN | frames.TEXT
_OPCODES: Final = frozenset(
    (
        frames.CONTINUATION,
        frames.TEXT,
        frames.BINARY,
        frames.CLOSE,
        frames.PING,
        frames.PONG,
    )
)
# RFC 6455 section 7.4 and the IANA registry: codes that may be on the wire.
_REGISTERED_CLOSE_CODES: Final = frozenset(
    (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
)
_PRIVATE_CLOSE_CODES: Final = range(3000, 5000)
_UTF8_DECODER = codecs.getincrementaldecoder("utf-8")


class FrameError(Exception):
    """The client broke RFC 6455; the connection fails with ``code``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Control(NamedTuple):
    """A ping, pong or close frame; ``code`` is set for a close with one."""

    opcode: int
    payload: bytes
    code: int | None = None


FRAGMENT: Final = Control(frames.CONTINUATION, b"")
"""Stands for a fragment that others follow. It says nothing yet, but it counts: whoever
sends a million empty ones is to be read no faster than a million messages."""


class FrameParser:
    """Bytes in, messages out; holds what is incomplete.

    A parser that raised is spent.

    Args:
        max_size: The largest message in bytes, over all its fragments.
    """

    __slots__ = ("_buffer", "_max_size", "_partial", "_position")

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._buffer: bytes = b""
        self._position = 0
        # Only a connection in the middle of a message pays for this state.
        self._partial: _Partial | None = None

    @property
    def is_within_message(self) -> bool:
        """Whether a message has begun and is not all there."""
        return self._partial is not None or self._position < len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what was received; call :meth:`next_message` until it says None."""
        partial = self._partial
        if partial is not None and partial.missing:
            taken = partial.fill(data)
            data = data[taken:]
        if self._position < len(self._buffer):
            self._buffer = self._buffer[self._position :] + data
        else:
            self._buffer = data
        self._position = 0

    def next_message(self) -> str | bytes | Control | None:
        """Return the next text, binary or control message, or None for now.

        A fragment that others follow is a :data:`FRAGMENT`.

        Raises:
            FrameError: as RFC 6455 demands; nothing more comes of this parser.
        """
        buffer, at = self._buffer, self._position
        partial = self._partial
        if partial is None and len(buffer) - at >= 6 and buffer[at] == _TEXT_FRAME:
            text = self._whole_text(buffer, at)
            if text is not None:
                return text
        if partial is not None and partial.payload is not None:
            if partial.missing:
                return None
            first, payload = partial.take_frame()
        else:
            frame = self._next_frame()
            if frame is None:
                # An idle connection must not hold the last chunk it received.
                self._buffer = self._buffer[self._position :]
                self._position = 0
                return None
            first, payload = frame
        return self._message_of(first, payload)

    def _whole_text(self, buffer: bytes, at: int) -> str | None:
        """The case that nearly every frame is: text, up to 64 KiB, all there.

        Whatever else it is, an unmasked frame included, is left to the general way.
        """
        size = buffer[at + 1] ^ _MASKED
        start = at + 6
        if size == _LENGTH_IS_16_BITS:
            size = buffer[at + 2] << 8 | buffer[at + 3]
            start = at + 8
        elif size > _LENGTH_IS_16_BITS:
            return None
        end = start + size
        if end > len(buffer) or size > self._max_size:
            return None
        payload = bytearray(buffer[start:end])
        websocket_mask(buffer[start - 4 : start], payload)
        self._position = end
        return _text(payload)

    def _next_frame(self) -> tuple[int, bytearray] | None:
        """Return first byte and unmasked payload of the next whole frame."""
        buffer, at = self._buffer, self._position
        available = len(buffer) - at
        if available < 2:
            return None
        first = buffer[at]
        size = self._checked_size(first, buffer[at + 1])
        header = 6
        if size >= _LENGTH_IS_16_BITS:
            extra = 2 if size == _LENGTH_IS_16_BITS else 8
            header += extra
            if available < header - 4:
                return None
            size = int.from_bytes(buffer[at + 2 : at + 2 + extra], "big")
        self._check_total(first, size)
        if available < header:
            return None
        start = at + header
        mask = buffer[start - 4 : start]
        payload = bytearray(buffer[start : start + size])
        self._position = start + len(payload)
        if len(payload) < size:
            partial = self._partial = self._partial or _Partial()
            partial.begin_frame(first, mask, payload, size - len(payload))
            return None
        websocket_mask(mask, payload)
        return first, payload

    def _checked_size(self, first: int, second: int) -> int:
        """Return the 7-bit length once the two bytes are found to be in order."""
        opcode = first & _OPCODE_BITS
        if first & _RESERVED_BITS:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if opcode not in _OPCODES:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "unknown opcode")
        if not second & _MASKED:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "frame is not masked")
        size = second & _LENGTH_BITS
        if opcode & _CONTROL:
            if not first & _FIN:
                raise FrameError(CloseCode.PROTOCOL_ERROR, "fragmented control frame")
            if size > _MAX_CONTROL_PAYLOAD:
                raise FrameError(CloseCode.PROTOCOL_ERROR, "control frame too long")
        else:
            self._check_sequence(opcode)
        return size

    def _check_sequence(self, opcode: int) -> None:
        """Section 5.4: a continuation follows a start, and only then."""
        started = self._partial is not None and self._partial.opcode is not None
        if started and opcode != frames.CONTINUATION:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "continuation expected")
        if not started and opcode == frames.CONTINUATION:
            raise FrameError(CloseCode.PROTOCOL_ERROR, "nothing to continue")

    def _check_total(self, first: int, size: int) -> None:
        """Refuse by the announced length, before the payload is held."""
        held = 0
        if self._partial is not None and not first & _CONTROL:
            held = self._partial.size
        if size > self._max_size - held and not first & _CONTROL:
            raise FrameError(CloseCode.TOO_BIG, "message too big")

    def _message_of(self, first: int, payload: bytearray) -> str | bytes | Control:
        opcode = first & _OPCODE_BITS
        partial = self._partial
        if opcode & _CONTROL:
            if partial is not None and partial.opcode is None:
                self._partial = None
            return _control(opcode, bytes(payload))
        if first & _FIN and (partial is None or partial.opcode is None):
            self._partial = None
            return _text(payload) if opcode == frames.TEXT else bytes(payload)
        if partial is None:
            partial = self._partial = _Partial()
        if not partial.add_fragment(opcode, payload, bool(first & _FIN)):
            return FRAGMENT
        self._partial = None
        return partial.message()


class _Partial:
    """A message whose fragments, or a frame whose payload, is not all there yet."""

    __slots__ = (
        "_decoder",
        "_first",
        "_mask",
        "_pieces",
        "missing",
        "opcode",
        "payload",
        "size",
    )

    def __init__(self) -> None:
        # The frame that is being received.
        self.payload: bytearray | None = None
        self.missing = 0
        self._first = 0
        self._mask = b""
        # The fragments before it.
        self.opcode: int | None = None
        self.size = 0
        self._pieces = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None

    def begin_frame(
        self, first: int, mask: bytes, payload: bytearray, missing: int
    ) -> None:
        self._first, self._mask = first, mask
        self.payload, self.missing = payload, missing

    def fill(self, data: bytes) -> int:
        """Add to the frame's payload; return how many bytes were its own."""
        if self.payload is None:
            return 0
        taken = min(self.missing, len(data))
        self.payload += data if taken == len(data) else data[:taken]
        self.missing -= taken
        return taken

    def take_frame(self) -> tuple[int, bytearray]:
        payload = self.payload if self.payload is not None else bytearray()
        self.payload = None
        websocket_mask(self._mask, payload)
        return self._first, payload

    def add_fragment(self, opcode: int, payload: bytearray, final: bool) -> bool:
        """Append a fragment; return whether it was the last.

        Text is checked as it comes, so that bad UTF-8 ends the connection at the
        fragment that has it (section 8.1). The bytes are kept, not the decoded pieces:
        a million fragments of one byte must not become a million strings.
        """
        if self.opcode is None:
            self.opcode = opcode
            if opcode == frames.TEXT:
                self._decoder = _UTF8_DECODER()
        self.size += len(payload)
        self._pieces += payload
        if self._decoder is not None:
            try:
                self._decoder.decode(payload, final)
            except UnicodeDecodeError as error:
                raise FrameError(CloseCode.INVALID_TEXT, "text is not UTF-8") from error
        return final

    def message(self) -> str | bytes:
        if self._decoder is not None:
            return self._pieces.decode("utf-8")
        return bytes(self._pieces)


def _text(payload: bytearray) -> str:
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(CloseCode.INVALID_TEXT, "text is not UTF-8") from error


def _control(opcode: int, payload: bytes) -> Control:
    if opcode != frames.CLOSE or not payload:
        return Control(opcode, payload)
    if len(payload) < 2:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "half a close code")
    code = int.from_bytes(payload[:2], "big")
    if code not in _REGISTERED_CLOSE_CODES and code not in _PRIVATE_CLOSE_CODES:
        raise FrameError(CloseCode.PROTOCOL_ERROR, "invalid close code")
    _text(bytearray(payload[2:]))
    return Control(opcode, payload, code)
