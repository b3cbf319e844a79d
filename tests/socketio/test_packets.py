"""Socket.IO packets: what is one, and what closes the connection."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from socketio.packet import Packet

from realtime import json_codec
from realtime.socketio import packets
from realtime.socketio.packets import (
    PacketTooLargeError,
    PendingPacket,
    SocketPacket,
    SocketPacketError,
)

MAX_ATTACHMENTS = 10
MAX_BYTES = 100


def parse(text: str) -> SocketPacket:
    """Parse with the server's codec."""
    return packets.parse(text, json_codec.loads, max_attachments=MAX_ATTACHMENTS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", (0, "/", None, None, 0)),
        ('0{"token":"a"}', (0, "/", None, {"token": "a"}, 0)),
        ("0/chat,", (0, "/chat", None, None, 0)),
        ("0/chat", (0, "/chat", None, None, 0)),
        ('0/chat?a=b,{"token":"a"}', (0, "/chat", None, {"token": "a"}, 0)),
        ("1", (1, "/", None, None, 0)),
        ("1/chat,", (1, "/chat", None, None, 0)),
        ('2["a"]', (2, "/", None, ["a"], 0)),
        ('212["a",1]', (2, "/", 12, ["a", 1], 0)),
        ('2/chat,7["a",{"b":[null]}]', (2, "/chat", 7, ["a", {"b": [None]}], 0)),
        ("3/chat,13[]", (3, "/chat", 13, [], 0)),
        (
            '52-/chat,3["a",{"_placeholder":true,"num":0}]',
            (2, "/chat", 3, ["a", {"_placeholder": True, "num": 0}], 2),
        ),
        ('50-["a"]', (2, "/", None, ["a"], 0)),
        ("61-9[{}]", (3, "/", 9, [{}], 1)),
    ],
)
def test_packets_of_the_protocol(text: str, expected: tuple[Any, ...]) -> None:
    """Each form that clients send is understood."""
    assert parse(text) == expected


@pytest.mark.timeout(120)
@settings(deadline=None)
@given(
    st.sampled_from(["/", "/chat", "/a/b"]),
    st.none() | st.integers(0, 2**53),
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
        max_size=4,
    ),
)
def test_what_the_library_writes_is_read(
    namespace: str, number: int | None, values: list[Any]
) -> None:
    """The library's own encoder and this parser agree."""
    packet = Packet(2, ["event", *values], namespace=namespace, id=number)
    packet_text = packet.encode()
    assert parse(packet_text) == (2, namespace, number, ["event", *values], 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "7",
        "-1",
        "٣[]",
        "0[]",
        '0"token"',
        "1{}",
        "2",
        "2{}",
        "2[]",
        "2[1]",
        '2[["a"]]',
        "2[null]",
        '2["a"',
        '2["a"]x',
        '2abc["a"]',
        '2-1["a"]',
        '2NaN["a"]',
        '2["a",NaN]',
        '2["a",Infinity]',
        "2" + "9" * 17 + '["a"]',
        "3",
        "3{}",
        '4{"message":"no"}',
        '5["a"]',
        '5-["a"]',
        '5x-["a"]',
        '511-["a"]',
        '5-1-["a"]',
        '51e1-["a"]',
        '5٣-["a"]',
        "2/" + "n" * 300 + ',["a"]',
        '2["a",' + "[" * 100_000 + "]" * 100_000 + "]",
        '2["a",' + "[" * 100_000,
        '2["a",' + '{"a":' * 100_000,
        '2["a",' + "[" * 300 + "]" * 300 + "]",
    ],
    ids=lambda text: text[:24],
)
def test_what_is_no_packet(text: str) -> None:
    """Anything else is refused, without an error of another kind."""
    with pytest.raises(SocketPacketError):
        parse(text)


def test_brackets_in_texts_are_not_depth() -> None:
    """A person may write as many brackets as fit, with quotes and backslashes."""
    text = '[{"' * 1_000 + "\\"
    assert parse("2" + json.dumps(["a", text])).data == ["a", text]
    flat: list[list[object]] = [[] for _ in range(5_000)]
    assert parse("2" + json.dumps(["a", flat])).data == ["a", flat]


def test_attachments_take_their_places() -> None:
    """Placeholders are filled wherever they are, in the order of the attachments."""
    holder = [{"_placeholder": True, "num": number} for number in (1, 0)]
    packet = parse("52-1" + json.dumps(["a", holder[0], {"deep": [holder[1]]}]))
    pending = PendingPacket(packet, max_bytes=MAX_BYTES)
    assert pending.add(b"first") is None
    whole = pending.add(b"second")
    assert whole == (2, "/", 1, ["a", b"second", {"deep": [b"first"]}], 0)


@pytest.mark.parametrize(
    "number", [1, -1, 0.0, "0", None, True, [0]], ids=lambda number: repr(number)
)
def test_placeholders_that_point_nowhere(number: object) -> None:
    """A placeholder names one of the attachments, by an integer."""
    holder = {"_placeholder": True, "num": number}
    pending = PendingPacket(
        parse("51-" + json.dumps(["a", holder])), max_bytes=MAX_BYTES
    )
    with pytest.raises(SocketPacketError):
        pending.add(b"only")


def test_attachments_are_bounded_together() -> None:
    """Each may have what the others left of the bound."""
    pending = PendingPacket(parse('53-["a"]'), max_bytes=MAX_BYTES)
    pending.add(bytes(MAX_BYTES - 1))
    pending.add(b"1")
    with pytest.raises(PacketTooLargeError):
        pending.add(b"2")


def test_an_event_cannot_be_named_by_an_attachment() -> None:
    """An event's name is text, before and after attachments are put in."""
    holder = {"_placeholder": True, "num": 0}
    with pytest.raises(SocketPacketError):
        parse("51-" + json.dumps([holder]))


def test_text_where_an_attachment_is_due() -> None:
    """No other packet may come between a packet and its attachments."""
    holder = {"_placeholder": True, "num": 0}
    pending = PendingPacket(
        parse("51-" + json.dumps(["a", holder])), max_bytes=MAX_BYTES
    )
    with pytest.raises(SocketPacketError):
        pending.add('2["b"]')
