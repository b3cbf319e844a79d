"""The decoders alone: whatever bytes come, a packet, or the error that closes."""

import base64
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from realtime import json_codec
from realtime.engineio import frames, protocol
from realtime.engineio.frame_parser import FRAGMENT, Control, FrameParser
from realtime.engineio.frames import FrameError
from realtime.engineio.protocol import PacketError
from realtime.socketio.packets import (
    PendingPacket,
    SocketPacket,
    SocketPacketError,
    parse,
)
from tests.hostile.fuzzing import ODD_VALUES, bounded, written

MAX_PACKETS = 16
MAX_ATTACHMENTS = 10
MAX_SIZE = 2_000
CLOSE_CODES = {1002, 1007, 1009}

ENGINE_PACKETS = st.one_of(
    st.text(max_size=30),
    st.tuples(st.sampled_from("0123456789b-\x1e"), st.text(max_size=30)).map("".join),
    st.binary(max_size=30).map(lambda data: "b" + base64.b64encode(data).decode()),
)


@bounded(400)
@given(packets=st.lists(ENGINE_PACKETS, max_size=MAX_PACKETS + 2), tail=st.binary())
def test_polling_payloads(packets: list[str], tail: bytes) -> None:
    """All packets of a payload, each of a known type, or none and one error."""
    body = "\x1e".join(packets).encode("utf-8", "surrogatepass") + tail
    try:
        found = protocol.decode_payload(body, MAX_PACKETS)
    except PacketError:
        return
    assert 1 <= len(found) <= MAX_PACKETS
    assert len(found) == body.count(b"\x1e") + 1
    for kind, data in found:
        assert kind in protocol.PACKET_TYPES
        assert isinstance(data, str) or kind == protocol.MESSAGE


REASONS = {
    "unknown packet type",
    "namespace too long",
    "ack id too long",
    "illegal number of attachments",
    "JSON nested too deeply",
    "payload is not JSON",
    "data does not fit the packet type",
    "text where an attachment is due",
    "placeholder without an attachment",
}

SOCKET_PACKETS = st.builds(
    lambda kind, dash, namespace, number, data: (
        f"{kind}{dash}{namespace}{number}{data}"
    ),
    st.sampled_from(("", "0", "1", "2", "3", "4", "5", "6", "7", "-", "\u0662", "22")),
    st.sampled_from(("", "-", "0-", "1-", "11-", "9999-", "99999-", "\u0661-", "1e1-")),
    st.sampled_from(
        ("", "/", "/chat,", "/chat", "/a?b=c,", "/" + "x" * 300 + ",", "/\x00,", ",")
    ),
    st.sampled_from(("", "0", "1", "-1", "9" * 16, "9" * 17, "\u0663", "1.5")),
    st.one_of(
        st.sampled_from(("", "[]", '["a"]', "{}", "null", "[", "NaN", "[NaN]", '"')),
        st.lists(ODD_VALUES, max_size=3).map(written),
        st.text(max_size=20),
    ),
)


@bounded(800)
@given(text=SOCKET_PACKETS | st.text(max_size=40), attachments=st.integers(0, 3))
@example(text='51-["a",{"_placeholder":true,"num":1}]', attachments=1)
@example(text='51-[{"_placeholder":true,"num":0}]', attachments=1)
@example(text="42" + "[" * 100_000, attachments=0)
def test_socketio_packets(text: str, attachments: int) -> None:
    """A packet whose parts fit together, with its attachments, or one error."""
    try:
        packet = whole_packet(text, attachments)
    except SocketPacketError as error:
        said = str(error)
    else:
        is_sound(packet)
        return
    # What a client sent is not in what is logged of it.
    assert said in REASONS


def whole_packet(text: str, attachments: int) -> SocketPacket:
    """Return the packet; where fewer attachments are at hand a text takes the place."""
    packet = parse(text, json_codec.loads, max_attachments=MAX_ATTACHMENTS)
    if not packet.attachments:
        return packet
    assert packet.attachments <= MAX_ATTACHMENTS
    pending, whole = PendingPacket(packet, max_bytes=MAX_SIZE), None
    for number in range(packet.attachments):
        assert whole is None
        whole = pending.add(b"\xff" * number if number < attachments else "text")
    assert whole is not None
    return whole


def is_sound(packet: SocketPacket) -> None:
    """Check that the parts of a packet fit together."""
    assert packet.kind in (0, 1, 2, 3)
    assert len(packet.namespace) <= 256
    assert packet.namespace.startswith("/")
    assert packet.id is None or 0 <= packet.id < 10**16
    if packet.kind == 2:
        assert isinstance(packet.data[0], str)


def frame(
    first: int, size_form: int, claimed: int, mask: bytes | None, payload: bytes
) -> bytes:
    """Return a frame as its parts say, sound or not.

    Args:
        first: FIN, reserved bits and opcode.
        size_form: Bytes of the length: 0, 2 or 8.
        claimed: The length that is claimed.
        mask: None: the frame is not masked.
        payload: What follows, however long.
    """
    bit = 0x80 if mask is not None else 0
    short = {0: claimed & 0x7F, 2: 126, 8: 127}[size_form]
    length = claimed.to_bytes(8, "big")[8 - size_form :] if size_form else b""
    return bytes((first, bit | short)) + length + (mask or b"") + payload


@st.composite
def streams(draw: Any) -> bytes:
    """Return some frames, most of them sound, in a row."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        payload = draw(
            st.binary(max_size=140)
            | st.integers(250, 700).map(lambda size: b"x" * size)
            | st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass"))
        )
        sound = draw(st.integers(0, 3)) > 0
        size = len(payload)
        if sound:
            first = draw(st.sampled_from((0x81, 0x82, 0x01, 0x00, 0x80, 0x89, 0x8A)))
            form = 0 if size < 126 else 2
            parts.append(
                frame(
                    first, form, size, draw(st.binary(min_size=4, max_size=4)), payload
                )
            )
        else:
            claimed = draw(st.sampled_from((size, 0, 127, 126, 2**16, 2**31, 2**63)))
            parts.append(
                frame(
                    draw(st.integers(0, 255)),
                    draw(st.sampled_from((0, 2, 8))),
                    claimed,
                    draw(st.none() | st.binary(min_size=4, max_size=4)),
                    payload,
                )
            )
    return b"".join(parts)


def outcome(stream: bytes, cuts: list[int]) -> tuple[list[Any], int | None]:
    """Return what a stream holds, cut as TCP might, and the code that ends it."""
    parser, found, at = FrameParser(MAX_SIZE), [], 0
    bounds = [*sorted({cut % (len(stream) + 1) for cut in cuts}), len(stream)]
    try:
        for end in bounds:
            parser.feed(stream[at:end])
            at = end
            while (message := parser.next_message()) is not None:
                if message is not FRAGMENT:
                    found.append(message)
    except FrameError as error:
        return found, error.code
    return found, None


@bounded(800)
@given(
    stream=streams() | st.binary(max_size=300),
    cuts=st.lists(st.integers(0), max_size=8),
)
def test_websocket_frames(stream: bytes, cuts: list[int]) -> None:
    """Messages within their bound, then maybe a close code; however it is cut."""
    found, code = outcome(stream, [])
    assert code is None or code in CLOSE_CODES
    for each in found:
        if isinstance(each, Control):
            assert each.opcode in (frames.CLOSE, frames.PING, frames.PONG)
            assert len(each.payload) <= 125
        else:
            size = len(each.encode() if isinstance(each, str) else each)
            assert size <= MAX_SIZE
    assert outcome(stream, cuts) == (found, code)


@bounded(50)
@given(size=st.integers(MAX_SIZE + 1, 2**63 - 1), opcode=st.sampled_from((1, 2)))
def test_a_claimed_length_costs_nothing(size: int, opcode: int) -> None:
    """A frame of eight exabytes is refused by its header, and nothing is held."""
    assert outcome(frame(0x80 | opcode, 8, size, bytes(4), b""), []) == ([], 1009)
