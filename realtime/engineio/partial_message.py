"""A WebSocket message that has begun to arrive (RFC 6455 section 5.4), without I/O."""

import codecs

from realtime.engineio import frames
from realtime.engineio.aiohttp_upgrade import websocket_mask
from realtime.engineio.frames import CloseCode, FrameError

_UTF8_DECODER = codecs.getincrementaldecoder("utf-8")


class PartialMessage:
    """A message whose fragments, or a frame whose payload, is not all there yet.

    Attributes:
        payload: What has come of the frame that is being received; None: there is none.
        missing: Bytes of it that are still to come.
        opcode: Of the first fragment; None: there was none yet.
        size: Bytes of all fragments so far.
    """

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
        """Begin with a frame of which ``missing`` bytes are still to come."""
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
        """Return the first byte and the unmasked payload of the frame, now whole."""
        payload = self.payload if self.payload is not None else bytearray()
        self.payload = None
        websocket_mask(self._mask, payload)
        return self._first, payload

    def add_fragment(self, opcode: int, payload: bytearray, final: bool) -> bool:
        """Append a fragment; return whether it was the last.

        Text is checked as it comes, so that bad UTF-8 ends the connection at the
        fragment that has it (section 8.1). The bytes are kept, not the decoded pieces:
        a million fragments of one byte must not become a million strings.

        Raises:
            FrameError: The text so far is not UTF-8.
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
        """Return the message, once its last fragment was added."""
        if self._decoder is not None:
            return self._pieces.decode("utf-8")
        return bytes(self._pieces)


def decode_text(payload: bytearray) -> str:
    """Return the text of a whole message.

    Raises:
        FrameError: It is not UTF-8.
    """
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FrameError(CloseCode.INVALID_TEXT, "text is not UTF-8") from error
