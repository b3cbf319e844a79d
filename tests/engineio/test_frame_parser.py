"""What RFC 6455 asks of a server that reads frames, rule by rule."""

import struct
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engineio import frames
from realtime.engineio.frame_parser import FRAGMENT, Control, FrameParser
from realtime.engineio.frames import FrameError

MASK = b"\x01\x02\x03\x04"
MAX_SIZE = 100_000


def masked(
    payload: bytes, opcode: int = frames.TEXT, *, fin: bool = True, reserved: int = 0
) -> bytes:
    """Return a client's frame."""
    first = (0x80 if fin else 0) | reserved | opcode
    size = len(payload)
    if size <= 125:
        header = bytes((first, 0x80 | size))
    elif size <= 0xFFFF:
        header = struct.pack(">BBH", first, 0x80 | 126, size)
    else:
        header = struct.pack(">BBQ", first, 0x80 | 127, size)
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return header + MASK + body


def messages(parser: FrameParser) -> Iterator[str | bytes | Control]:
    """Yield what the parser has, without the marks for fragments."""
    while (message := parser.next_message()) is not None:
        if message is not FRAGMENT:
            yield message


def parsed(*chunks: bytes, max_size: int = MAX_SIZE) -> list[str | bytes | Control]:
    """Return the messages of a stream that arrives in these chunks."""
    parser = FrameParser(max_size)
    found: list[str | bytes | Control] = []
    for chunk in chunks:
        parser.feed(chunk)
        found += messages(parser)
    return found


def code_of(*chunks: bytes, max_size: int = MAX_SIZE) -> int:
    """Return the close code that a stream earns."""
    with pytest.raises(FrameError) as failure:
        parsed(*chunks, max_size=max_size)
    return failure.value.code


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [frames.TEXT, frames.BINARY])
def test_messages_of_every_length_form(size: int, opcode: int) -> None:
    """A message arrives whole, whichever of the three length forms it needs."""
    payload = b"x" * size
    expected = payload.decode() if opcode == frames.TEXT else payload
    assert parsed(masked(payload, opcode)) == [expected]


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(st.text(max_size=300), st.binary(max_size=300)),
        max_size=8,
    ),
    st.lists(st.integers(1, 50), min_size=1, max_size=10),
)
def test_chunks_do_not_matter(sent: list[str | bytes], cuts: list[int]) -> None:
    """However TCP cuts the stream, the same messages come out in order."""
    stream = b"".join(
        masked(each.encode(), frames.TEXT)
        if isinstance(each, str)
        else masked(each, frames.BINARY)
        for each in sent
    )
    chunks, at, turn = [], 0, 0
    while at < len(stream):
        step = cuts[turn % len(cuts)]
        chunks.append(stream[at : at + step])
        at, turn = at + step, turn + 1
    assert parsed(*chunks) == sent


@settings(deadline=None)
@given(st.text(min_size=1, max_size=200), st.integers(1, 7))
def test_fragments_are_joined(text: str, size: int) -> None:
    """A fragmented text is one message, also when a cut splits a character."""
    data = text.encode()
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    stream = b""
    for number, piece in enumerate(pieces):
        opcode = frames.CONTINUATION if number else frames.TEXT
        stream += masked(piece, opcode, fin=number == len(pieces) - 1)
    assert parsed(stream) == [text]


def test_control_frames_between_fragments() -> None:
    """A ping may come between two fragments and is answered before the message."""
    stream = (
        masked(b"ab", fin=False)
        + masked(b"hi", frames.PING)
        + masked(b"cd", frames.CONTINUATION)
    )
    assert parsed(stream) == [Control(frames.PING, b"hi"), "abcd"]
    assert parsed(*(bytes((byte,)) for byte in stream)) == parsed(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"\x81\x02hi",
        masked(b"hi", reserved=0x40),
        masked(b"hi", reserved=0x20),
        masked(b"hi", reserved=0x10),
        masked(b"hi", 0x3),
        masked(b"hi", 0xB),
        masked(b"hi", frames.PING, fin=False),
        masked(b"x" * 126, frames.PING),
        masked(b"hi", frames.CONTINUATION),
        masked(b"hi", fin=False) + masked(b"ho"),
        masked(b"\x03", frames.CLOSE),
        masked(struct.pack(">H", 1005), frames.CLOSE),
        masked(struct.pack(">H", 999), frames.CLOSE),
        masked(struct.pack(">H", 5000), frames.CLOSE),
    ],
    ids=[
        "not masked",
        "first reserved bit",
        "second reserved bit",
        "third reserved bit",
        "unknown data opcode",
        "unknown control opcode",
        "fragmented ping",
        "long ping",
        "continuation of nothing",
        "new message within one",
        "half a close code",
        "close code never sent",
        "close code too low",
        "close code too high",
    ],
)
def test_broken_frames_are_protocol_errors(stream: bytes) -> None:
    """What RFC 6455 forbids ends the connection with 1002."""
    assert code_of(stream) == frames.CloseCode.PROTOCOL_ERROR
    assert code_of(*(bytes((byte,)) for byte in stream)) == 1002


@pytest.mark.parametrize(
    "stream",
    [
        masked(b"\xc3("),
        masked(b"ok \xed\xa0\x80"),
        masked(b"\xe2\x82"),
        masked(b"ok\xff", fin=False),
        masked(b"\xe2\x82", fin=False) + masked(b"", frames.CONTINUATION),
        masked(struct.pack(">H", 1000) + b"\xff", frames.CLOSE),
    ],
    ids=[
        "pair",
        "surrogate",
        "cut",
        "first fragment",
        "cut at the end",
        "close reason",
    ],
)
def test_bad_utf8_is_refused(stream: bytes) -> None:
    """Text that is not UTF-8 ends the connection with 1007."""
    assert code_of(stream) == frames.CloseCode.INVALID_TEXT


def test_size_is_bounded_before_the_payload_comes() -> None:
    """A message of the largest size passes; one byte more is refused by its header."""
    assert parsed(masked(b"x" * 200, frames.BINARY), max_size=200) == [b"x" * 200]
    assert parsed(masked(b"x" * 100), max_size=100) == ["x" * 100]
    assert code_of(masked(b"x" * 101)[:6], max_size=100) == frames.CloseCode.TOO_BIG
    huge = struct.pack(">BBQ", 0x82, 0x80 | 127, 2**63 + 5)
    assert code_of(huge) == frames.CloseCode.TOO_BIG


def test_every_fragment_is_told() -> None:
    """Also one without a byte in it: whoever counts messages counts them."""
    parser = FrameParser(MAX_SIZE)
    parser.feed(
        masked(b"a", fin=False)
        + masked(b"", frames.CONTINUATION, fin=False) * 3
        + masked(b"b", frames.CONTINUATION)
    )
    told = [parser.next_message() for _ in range(6)]
    assert told == [*[FRAGMENT] * 4, "ab", None]


def test_fragments_are_bounded_together() -> None:
    """Fragments count as the one message that they are."""
    stream = masked(b"x" * 60, fin=False) + masked(b"x" * 60, frames.CONTINUATION)
    assert code_of(stream, max_size=100) == frames.CloseCode.TOO_BIG


def test_close_frames_carry_their_code() -> None:
    """A close frame with and without a code."""
    assert parsed(masked(b"", frames.CLOSE)) == [Control(frames.CLOSE, b"")]
    body = struct.pack(">H", 4000) + "tschüß".encode()
    assert parsed(masked(body, frames.CLOSE)) == [Control(frames.CLOSE, body, 4000)]


def test_an_idle_parser_holds_nothing() -> None:
    """Between messages a connection keeps no received bytes."""
    parser = FrameParser(MAX_SIZE)
    tracemalloc.start()
    try:
        parser.feed(masked(b"x" * 50_000))
        assert list(messages(parser)) == ["x" * 50_000]
        held, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 10_000
