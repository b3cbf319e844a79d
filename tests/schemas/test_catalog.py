"""The catalogue is whole: handlers, errors and docs/protocol.md keep step with it."""

import re
from pathlib import Path

import pytest
from marshmallow import ValidationError

from handlers.chat import ChatNamespace
from realtime import errors
from schemas.acks import ERROR_CODES
from schemas.catalog import BROADCASTS, ERROR_ACK, REQUESTS, Access

PROTOCOL = Path(__file__).parents[2] / "docs" / "protocol.md"


def all_errors() -> list[type[errors.ChatError]]:
    return [
        each
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.ChatError)
    ]


def test_every_event_has_a_handler_and_every_handler_an_event() -> None:
    """What the catalogue promises is there, and nothing beside it."""
    handlers = {
        name.removeprefix("on_") for name in dir(ChatNamespace) if name[:3] == "on_"
    }
    assert handlers - {"connect", "disconnect"} == set(REQUESTS)


def test_gated_events_name_a_room() -> None:
    """The access gate asks about a room; a gated payload has one."""
    for request in REQUESTS.values():
        if request.access is not Access.ANYONE:
            assert request.payload.fields["room"].required


def test_every_error_has_its_code_in_the_acks() -> None:
    """The error tree and the codes that clients may meet are the same list."""
    assert {each.code: each.temporary for each in all_errors()} == dict(ERROR_CODES)


@pytest.mark.parametrize("error", all_errors())
def test_an_error_ack_keeps_its_promise(error: type[errors.ChatError]) -> None:
    """The object that goes out is the one that the schema describes."""
    told = error("No.", fields={"a.b": ["Bad."]}, retry_after_ms=5).to_wire()
    assert ERROR_ACK.load({"ok": False, "error": told})


def test_the_protocol_document_names_every_event_and_code() -> None:
    """docs/protocol.md has a heading for each event and a row for each code."""
    text = PROTOCOL.read_text(encoding="utf-8")
    headings = set(re.findall(r"^#{2,4} `(\w+)`", text, flags=re.MULTILINE))
    assert headings == set(REQUESTS) | set(BROADCASTS)
    for code in ERROR_CODES:
        assert re.search(rf"^\| `{code}` \|", text, flags=re.MULTILINE), code


def test_the_protocol_document_names_every_field() -> None:
    """A field that clients send or receive is explained."""
    text = PROTOCOL.read_text(encoding="utf-8")
    schemas = [each.payload for each in BROADCASTS.values()]
    for request in REQUESTS.values():
        schemas += [request.payload, request.ack]
    for schema in schemas:
        for name in schema.fields:
            assert f"`{name}`" in text or f"`{name}?`" in text, name


@pytest.mark.parametrize(
    "answer",
    [
        {"events": [["message"]]},
        {"events": [["typing", {"room": "42", "user": "ann", "on": True}]]},
        {"events": [[1, {}]]},
        {"reads": {"ann": -1}},
        {"reads": [1]},
        {"cursor": ""},
    ],
)
def test_a_join_s_answer_that_breaks_the_promise_is_noticed(
    answer: dict[str, object],
) -> None:
    """By the tests' clients, which hold all that nodes say against the catalogue."""
    with pytest.raises(ValidationError) as raised:
        REQUESTS["join"].ack.load({"ok": True, "room": "42", **answer})
    assert answer.keys() <= raised.value.messages_dict.keys()


@pytest.mark.parametrize(
    ("event", "payload", "wrong"),
    [
        ("presence", {"room": "42", "user": "ann"}, "user"),
        ("presence", {"room": "42"}, "user"),
        (
            "presence",
            {"room": "42", "user": "ann", "online": True, "onlineCount": 1},
            "user",
        ),
        ("closing", {"reason": "Drain!", "retryAfter": 1}, "reason"),
    ],
)
def test_a_broadcast_that_breaks_the_promise_is_noticed(
    event: str, payload: dict[str, object], wrong: str
) -> None:
    """Likewise."""
    with pytest.raises(ValidationError) as raised:
        BROADCASTS[event].payload.load(payload)
    assert wrong in raised.value.messages_dict


@pytest.mark.parametrize(
    ("error", "wrong"), [({"code": "odd"}, "code"), ({"message": ""}, "message")]
)
def test_an_error_without_a_known_code_or_words_is_noticed(
    error: dict[str, object], wrong: str
) -> None:
    """Programs act on the one, people on the other."""
    good = {"code": "unavailable", "message": "Try again.", "temporary": True}
    ERROR_ACK.load({"ok": False, "error": good})
    with pytest.raises(ValidationError) as raised:
        ERROR_ACK.load({"ok": False, "error": good | error})
    assert wrong in raised.value.messages_dict["error"]
