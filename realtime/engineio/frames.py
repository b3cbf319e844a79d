"""WebSocket frames from the server to clients (RFC 6455 section 5), without I/O.

A frame of a room is built once; the same bytes go to every session. Servers do not
mask (5.1), and permessage-deflate is not negotiated, so nothing in a frame depends on
who receives it.
"""

import struct
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_FIN: Final = 0x80
_TEXT_BYTE: Final = _FIN | TEXT
_BINARY_BYTE: Final = _FIN | BINARY

# RFC 6455 section 5.2: payload lengths that fit the header's 7 and 16 bits.
_MAX_7_BITS: Final = 125
_MAX_16_BITS: Final = 0xFFFF

_HEADER_16 = struct.Struct(">BBH")
_HEADER_64 = struct.Struct(">BBQ")

# A control frame's payload is at most 125 bytes (5.5), two of them the close code.
_MAX_CLOSE_REASON: Final = 123


class CloseCode:
    """Close codes that this server sends, RFC 6455 section 7.4.1."""

    NORMAL: Final = 1000
    GOING_AWAY: Final = 1001
    PROTOCOL_ERROR: Final = 1002
    INVALID_TEXT: Final = 1007
    TOO_BIG: Final = 1009


class FrameError(Exception):
    """The client broke RFC 6455; the connection fails with ``code``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= _MAX_7_BITS:
        return bytes((first, size)) + payload
    if size <= _MAX_16_BITS:
        return _HEADER_16.pack(first, 126, size) + payload
    return _HEADER_64.pack(first, 127, size) + payload


def text_frame(text: str) -> bytes:
    """Return one unfragmented text frame."""
    return _frame(_TEXT_BYTE, text.encode())


def message_frame(data: str | bytes) -> bytes:
    """Return the frame of an Engine.IO message.

    Text gets the packet type ``4``; binary is sent as it is ("Packet encoding",
    WebSocket, of the Engine.IO protocol).
    """
    if isinstance(data, str):
        return _frame(_TEXT_BYTE, b"4" + data.encode())
    return _frame(_BINARY_BYTE, data)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a ping frame: the same payload (RFC 6455 section 5.5.3)."""
    return _frame(_FIN | PONG, payload)


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Return a close frame; without a code its body is empty (5.5.1).

    A reason that does not fit is cut at a character.
    """
    if code is None:
        return _frame(_FIN | CLOSE, b"")
    text = reason.encode()[:_MAX_CLOSE_REASON].decode(errors="ignore").encode()
    return _frame(_FIN | CLOSE, code.to_bytes(2, "big") + text)


# The heartbeat's frame, the same for every session.
PING_PACKET_FRAME: Final = text_frame("2")
