"""The quick way to load a payload never judges otherwise than marshmallow's."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, validate

from schemas.base import UNCLEAN, StrictSchema
from schemas.catalog import REQUESTS
from schemas.field_types import TRIMMED, Text, WholeNumber

GOOD: dict[str, list[Any]] = {
    "room": ["42", "A_b-9"],
    "cursor": ["7:abc", "0:", "nonsense"],
    "rooms": [[], [{"room": "1"}, {"room": "2", "cursor": "3:x"}]],
    "clientId": ["c1"],
    "type": ["text", "image"],
    "text": ["hi", "  trimmed \r\n", "a\r\nb", "é😀"],
    "image": [b"\x89PNG", bytearray(b"x")],
    "images": [[b"\x89PNG"], [b"x", b"y"]],
    "replyTo": [1],
    "mentions": [[], ["ann", "ben"]],
    "message": [1, 7],
    "key": ["👍", ":parrot:"],
    "on": [True, False],
    "before": [5, "7-0"],
    "after": [0],
    "limit": [1, 500],
    "mentionAll": [True, False],
    "silent": [True],
    "around": [3],
    "at": [0, 1_700_000_000_000],
    "messages": [[1, 2], []],
    "token": ["a.b.c"],
    "user": ["ann"],
    "reason": ["spam", "x" * 501],
    "invite": ["A" * 22, "members"],
    "uses": [1],
    "expiresSeconds": [60, 10**9],
    "ban": [True],
    "banSeconds": [1],
    "muteSeconds": [0, 5],
    "role": ["owner", "god"],
    "users": [[], ["ann"], ["ann", "ann"]],
    "kind": ["public", "direct"],
    "name": ["가족", ""],
    "topic": ["plans", ""],
    "data": [{}, {"a": [1, {"b": None}]}, {"a": [[[[[[1]]]]]]}],
    "history": ["all", "joined"],
    "writers": ["members", "moderators"],
    "slow": [0, 10**6],
    "private": [True],
    "list": [True, False],
    "sort": ["recent"],
    "filter": ["unread"],
    "muted": [True],
    "pinned": [True, False],
    "archived": [False],
    "push": ["all", "none"],
    "unknown": [1],
}
PLAIN_BAD: list[Any] = [None, "", " ", 0, -1, 1.5, 2**60, True, [], {}, b"", "\x00"]
BAD: list[Any] = [
    *PLAIN_BAD,
    "\ud83d",
    "\u2800",
    "\u200b ",
    "x" * 5000,
    ["ann", "ann"],
    [{"room": "1"}, {"room": "1"}],
    [None],
    [{"room": 1}],
]


def by_load(schema: StrictSchema, data: object) -> Any:
    try:
        return schema.load(data)
    except ValidationError:
        return None


@st.composite
def payloads(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An event and fields of it, most of them as they should be."""
    event: str = draw(st.sampled_from(sorted(REQUESTS)))
    own = sorted(REQUESTS[event].payload.fields)
    names: set[str] = draw(st.sets(st.sampled_from(own))) if own else set()
    if draw(st.integers(0, 9)) == 0:
        names.add("unknown")
    data = {name: draw(st.sampled_from(GOOD[name])) for name in sorted(names)}
    if draw(st.booleans()) and data:
        data[draw(st.sampled_from(sorted(data)))] = draw(st.sampled_from(BAD))
    return event, data


@given(payloads())
def test_both_ways_agree(payload: tuple[str, dict[str, Any]]) -> None:
    """What one accepts the other accepts, with the same result in the same order."""
    event, data = payload
    schema = REQUESTS[event].payload
    expected, found = by_load(schema, data), schema.accept(data)
    assert found == expected
    if found is not None:
        assert list(found) == list(expected)


@pytest.mark.parametrize("payload", [None, 5, "x", [], [1], b"x", True])
@pytest.mark.parametrize("event", sorted(REQUESTS))
def test_what_is_no_object_is_left_to_load(event: str, payload: object) -> None:
    """Only marshmallow says what is wrong with a payload that is no object."""
    assert REQUESTS[event].payload.accept(payload) is None


@pytest.mark.parametrize(
    "options",
    [
        {"validate": validate.Range(1, 3)},
        {"allow_none": True},
        {"data_key": "other"},
        {"attribute": "other"},
        {"required": False, "load_default": list},
    ],
)
def test_a_field_that_needs_marshmallow_is_refused(options: dict[str, Any]) -> None:
    """A field with an option that the quick way would skip fails at its first use."""

    class Odd(StrictSchema):
        number = WholeNumber(**options)
        text = Text()

    with pytest.raises(TypeError, match=r"Odd\.number"):
        Odd().accept({"number": 1, "text": "x"})


def test_what_is_printable_needs_no_cleaning() -> None:
    """Texts are judged by that first: no character may slip through, nor be kept."""
    odd = [
        character
        for character in map(chr, range(sys.maxunicode + 1))
        if character.isprintable()
        and (UNCLEAN.match(character) or character in TRIMMED)
    ]
    assert odd == [" "]
    assert Text().deserialize("  two words ") == "two words"
    with pytest.raises(ValidationError):
        Text().deserialize("   ")
