"""Frames that the server writes, read back by aiohttp's client-side reader."""

import pytest
from aiohttp._websocket.reader_py import WebSocketReader
from aiohttp.http_websocket import WSMsgType

from realtime.engineio import frames


class Received:
    """Takes what aiohttp's reader finds."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, object, object]] = []
        self._size = 0
        self._limit = 2**30
        self._stalled_reader = None

    def feed_data(self, message: tuple[int, object, object], _size: int) -> None:
        """Keep a message."""
        kind, data, extra = message
        self.messages.append((kind, data, extra))


def read(data: bytes) -> list[tuple[int, object, object]]:
    """Return what a client reads."""
    received = Received()
    reader = WebSocketReader(received, 0, False, True)  # type: ignore[arg-type]
    failed, _rest = reader.feed_data(data)
    assert not failed
    return received.messages


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 65_534, 65_535, 65_536, 200_000])
def test_messages_of_every_length(size: int) -> None:
    """Texts get the packet type, binary goes as it is."""
    text = "ü" * (size // 2)
    assert read(frames.message_frame(text)) == [(WSMsgType.TEXT, "4" + text, "")]
    data = bytes(size)
    assert read(frames.message_frame(data)) == [(WSMsgType.BINARY, data, "")]


def test_control_frames() -> None:
    """Pongs carry the ping's payload; close frames their code and reason."""
    assert read(frames.pong_frame(b"hi"))[0][:2] == (WSMsgType.PONG, b"hi")
    assert read(frames.close_frame(1002, "why"))[0] == (WSMsgType.CLOSE, 1002, "why")
    assert read(frames.close_frame(None))[0] == (WSMsgType.CLOSE, 0, "")


def test_long_close_reasons_are_cut_at_a_character() -> None:
    """A control frame has at most 125 bytes, and its reason stays UTF-8."""
    kind, code, reason = read(frames.close_frame(1009, "€" * 100))[0]
    assert (kind, code, reason) == (WSMsgType.CLOSE, 1009, "€" * 41)


def test_frames_can_be_joined() -> None:
    """Several frames in one write are as many messages."""
    joined = frames.PING_PACKET_FRAME + frames.message_frame("a")
    assert [each[1] for each in read(joined)] == ["2", "4a"]
