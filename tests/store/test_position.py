"""Cursors: what a client hands back, and what an event says of its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.store.position import START, Position, parse_cursor

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
