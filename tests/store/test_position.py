"""Cursors: what a client hands back, and what an event says of its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.store.position import (
    START,
    Position,
    offset_of_message,
    parse_cursor,
    position_of,
)

UIDS = st.text("abcXYZ019_-", min_size=1, max_size=32)
OFFSETS = st.integers(1, 10**16 - 1)


@given(OFFSETS, UIDS)
def test_a_cursor_comes_back_as_the_position_it_was_made_of(
    offset: int, uid: str
) -> None:
    """What the server hands out is what it understands."""
    position = Position(offset, uid)
    assert parse_cursor(str(position)) == position


def test_the_cursor_of_an_empty_room() -> None:
    """``0:`` is the place before the first event."""
    assert parse_cursor("0:") == START
    assert str(START) == "0:"


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "0",
        "5",
        "5:",
        "0:abc",
        "05:abc",
        "-1:abc",
        "+1:abc",
        "1.0:abc",
        "1:a b",
        "1:a:b",
        " 1:abc",
        "1:abc\n",
        "١:abc",
        "1:" + "a" * 33,
        "1" * 17 + ":abc",
        "1:ä",
        "*:abc",
    ],
)
def test_a_malformed_cursor_is_none(text: str) -> None:
    """It is answered as a cursor of another log, not as an error."""
    assert parse_cursor(text) is None


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    """Whatever a client sends: a position or None."""
    found = parse_cursor(text)
    assert found is None or str(found) == text


def test_the_position_of_an_event_of_the_log() -> None:
    """Offset and uid lead the payload of each event of the log."""
    event = b'["message",{"offset":57,"uid":"k3-_Z","message":4,"room":"42"}]'
    assert position_of(event) == Position(57, "k3-_Z")


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"hello",
        b'["read",{"room":"42","user":"ann","lastReadMessage":3}]',
        b'["typing",{"offset":1,"room":"42"}]',
        b'["message",{"uid":"a","offset":1}]',
        b'["message",{"offset":0,"uid":"a"}]',
        b'["message",{"offset":-1,"uid":"a"}]',
        b'["message",{"offset":"1","uid":"a"}]',
        b' ["message",{"offset":1,"uid":"a"}]',
        b'{"method":"emit"}',
        b'["m\xc3\xa4rz",{"offset":1,"uid":"a"}]',
    ],
)
def test_what_is_not_of_the_log_has_no_position(event: bytes) -> None:
    """Only the exact form counts, so that nothing else moves a room's place."""
    assert position_of(event) is None


def test_the_offset_of_a_kept_message() -> None:
    """The history keeps the payload alone."""
    assert offset_of_message(b'{"offset":7,"uid":"x","message":7}') == 7
    with pytest.raises(ValueError, match="no message"):
        offset_of_message(b'{"message":7}')
