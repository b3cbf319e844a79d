"""How the suite makes things up: bounded, alike each time, and shown if it fails."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from schemas.base import StrictField, StrictSchema
from schemas.events import JoinItem, Token
from schemas.field_types import (
    Binary,
    ClientId,
    Cursor,
    Flag,
    JsonData,
    Label,
    ListOf,
    PatternText,
    RoomId,
    Text,
    UserId,
    WholeNumber,
)
from schemas.moderation import Reason
from schemas.people import Line
from tests.kit.waiting import MS

T = TypeVar("T", bound=Callable[..., object])

# Longest time for all examples of a test, on a machine that is busy with others.
EXAMPLES_SECONDS = 120_000 * MS


def bounded(examples: int) -> Callable[[T], T]:
    """Decorate a test: so many examples, the same in every run, and time for them."""
    chosen = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        # The node of a test serves all of its examples; that is the point.
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
        ],
    )
    long = pytest.mark.timeout(EXAMPLES_SECONDS)
    return lambda test: long(chosen(test))


class Raw(str):
    """Text that goes into a JSON document as it is: what no encoder would write."""

    __slots__ = ()


# What a text or a name may have.
CLEAN = st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Cf"))

# Where an attachment belongs.
PLACEHOLDER = Raw('{"_placeholder":true,"num":0}')

ODD_TEXTS = st.sampled_from(
    (
        "",
        " ",
        "x" * 70_000,
        "a\x00b",
        "\r\n",
        "\u202eevil",
        "\ud800",
        "\udc00\ud800",
        "\U0001f600" * 4_001,
        "e\u0301" * 100,
        "__proto__",
        "constructor",
        "%s%n{0}${x}",
        "'; DROP TABLE rooms; --",
        "*",
        "{a}b",
        "chatroom-42:log",
        "__keyspace@0__:*",
        "../../etc/passwd",
    )
)
ODD_NUMBERS = st.sampled_from(
    tuple(
        Raw(text)
        for text in (
            "-0",
            "-0.0",
            "0",
            "-1",
            "1.0",
            "1e3",
            "1e999",
            "-1e999",
            "2e-999",
            "9007199254740992",
            "18446744073709551616",
            "9" * 5_000,
            "-" + "9" * 400,
        )
    )
)
NO_JSON = st.sampled_from(
    tuple(map(Raw, ("NaN", "Infinity", "-Infinity", "undefined", "'x'", "01", "1_0")))
)
ODD_VALUES = st.one_of(
    st.sampled_from((None, True, False, [], {}, [[]], {"$gt": ""}, PLACEHOLDER)),
    ODD_TEXTS,
    ODD_NUMBERS,
    st.text(max_size=40),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, 190).map(lambda depth: Raw("[" * depth + "]" * depth)),
    st.integers(1, 190).map(lambda depth: Raw('{"a":' * depth + "1" + "}" * depth)),
    st.integers(2, 300).map(lambda size: [0] * size),
)
ODD_NAMES = st.one_of(
    st.sampled_from(
        ("user", "by", "at", "uid", "offset", "message", "__proto__", "constructor")
    ),
    st.sampled_from(("toString", "_schema", "ok", "error", "sid", "to", "namespace")),
    st.text(max_size=12),
)


def written(value: Any) -> str:
    """Return a JSON document; :class:`Raw` text stays as it is.

    An object is a dict, or a list of pairs inside a tuple: names may then repeat.
    """
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, tuple):
        return "{" + ",".join(f"{json.dumps(k)}:{written(v)}" for k, v in value) + "}"
    if isinstance(value, dict):
        return written(tuple(value.items()))
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


def valid_payload(
    schema: StrictSchema, rooms: st.SearchStrategy[str]
) -> st.SearchStrategy[Any]:
    """Return a strategy for payloads that a schema of the catalogue accepts by type.

    Args:
        schema: The event's.
        rooms: Where room ids come from.
    """
    return st.fixed_dictionaries(
        {n: _value(f, rooms) for n, f in schema.load_fields.items() if f.required},
        optional={
            n: _value(f, rooms) for n, f in schema.load_fields.items() if not f.required
        },
    )


def _value(field: Any, rooms: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return a strategy for what one field accepts."""
    if isinstance(field, ListOf):
        return st.lists(_value(field.item, rooms), max_size=4)
    if isinstance(field, JoinItem):
        schema: Any = field.schema
        return valid_payload(schema, rooms)
    if isinstance(field, WholeNumber):
        return st.integers(field.minimum, 2**53 - 1)
    found: dict[type[StrictField], st.SearchStrategy[Any]] = {
        RoomId: rooms,
        ClientId: st.text("abcXYZ019_-", min_size=1, max_size=64),
        UserId: st.text(CLEAN, min_size=1).map(lambda text: text[:128]),
        Cursor: st.sampled_from(("0:", "1:AAAAAAAAAAAA", "999999:x", "nonsense")),
        Text: st.text(CLEAN, min_size=1),
        Flag: st.booleans(),
        Label: st.text(CLEAN, min_size=1).map(lambda text: text[:64]),
        Line: st.text(CLEAN, min_size=1).map(lambda text: text[:64]),
        Reason: st.text(CLEAN, min_size=1).map(lambda text: text[:64]),
        JsonData: st.dictionaries(st.text(max_size=8), ODD_VALUES, max_size=4),
        Binary: st.just(PLACEHOLDER),
        Token: st.text("abcdefghijklmnop.-_", min_size=1),
    }
    if isinstance(field, PatternText) and type(field) not in found:
        # One of a few words, ids and tokens.
        return st.from_regex(field.pattern, fullmatch=True)
    return found[type(field)]


@st.composite
def mutated(draw: Any, payload: dict[str, Any]) -> Any:
    """Return a payload with something wrong with it, as tuples of pairs."""
    pairs = list(payload.items())
    for _ in range(draw(st.integers(0, 2))):
        kind = draw(st.integers(0, 5))
        at = draw(st.integers(0, max(0, len(pairs) - 1)))
        if kind == 0 and pairs:
            del pairs[at]
        elif kind == 1 and pairs:
            pairs[at] = (pairs[at][0], draw(ODD_VALUES))
        elif kind == 2:
            pairs.append((draw(ODD_NAMES), draw(ODD_VALUES)))
        elif kind == 3 and pairs:
            pairs.append((pairs[at][0], draw(ODD_VALUES)))
        elif kind == 4 and pairs:
            pairs[at] = (pairs[at][0], [pairs[at][1]])
        elif kind == 5:
            return draw(ODD_VALUES)
    return tuple(pairs)
