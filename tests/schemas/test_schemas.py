"""What clients may send: every rule of a payload, with the error it gets."""

import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.guard import load_payload
from realtime.errors import InvalidError
from schemas.catalog import REQUESTS
from schemas.events import (
    HISTORY_DEFAULT,
    HISTORY_MESSAGES,
    ROOMS_PAGE,
    SYNC_ROOMS,
)
from schemas.field_types import (
    MAX_SAFE_INTEGER,
    TEXT_CHARACTERS,
    USER_ID_CHARACTERS,
    VISIBLE,
)

SEND: dict[str, Any] = {"room": "42", "clientId": "c1", "type": "text", "text": "hi"}
HIGH, LOW = "\ud83d", "\ude00"  # the two halves of one emoji


def load(event: str, *arguments: object) -> dict[str, Any]:
    return load_payload(REQUESTS[event], arguments)


def refused(event: str, *arguments: object) -> dict[str, list[str]]:
    """Return the fields that the error names."""
    with pytest.raises(InvalidError) as caught:
        load(event, *arguments)
    assert caught.value.fields, "an invalid payload must say which field is wrong"
    return {path: list(said) for path, said in caught.value.fields.items()}


@pytest.mark.parametrize("room", ["42", "a", "A_b-9", "x" * 64])
def test_room_ids_are_taken_as_they_are(room: str) -> None:
    """A room id of the allowed characters is accepted unchanged."""
    assert load("leave", {"room": room}) == {"room": room}


ODD_TEXTS = ("", "x" * 65, "a b", "a\n", "*", "a*", "{42}", "chatroom:1", "../x", HIGH)


@pytest.mark.parametrize(
    "room", [*ODD_TEXTS, "é", "٤", 42, True, None, 4.2, [], {}, b"42"]
)
def test_other_room_ids_are_refused(room: object) -> None:
    """No room id can be a Redis pattern, a path, or anything but a short name."""
    assert "room" in refused("leave", {"room": room})


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("hi", "hi"),
        ("  hi \n", "hi"),
        ("a\r\nb", "a\nb"),
        ("a\tb", "a\tb"),
        ("\u00a0hi\ufeff\u2028", "hi"),
        ("x" * TEXT_CHARACTERS, "x" * TEXT_CHARACTERS),
        (" " * 9000 + "x", "x"),
        ("😀" * TEXT_CHARACTERS, "😀" * TEXT_CHARACTERS),
        ("<b>", "<b>"),
    ],
)
def test_texts_are_stored_trimmed_with_plain_line_ends(sent: str, stored: str) -> None:
    """A text is trimmed as JavaScript's trim() does, CRLF becomes LF, no more."""
    assert load("send", {**SEND, "text": sent})["text"] == stored


CONTROLS = ("a\x00b", "a\x1bb", "a\rb", "a\x7f", "a\x85b", HIGH, LOW + "a")


@pytest.mark.parametrize("text", ["", " \n ", "x" * (TEXT_CHARACTERS + 1), *CONTROLS])
def test_other_texts_are_refused(text: str) -> None:
    """Empty, too long, control characters, lone surrogates: invalid."""
    assert "text" in refused("send", {**SEND, "text": text})


BLANKS = (
    *("\u2800", "\u200b", "\u3164", "\u00ad", "\u115f\u1160", "\uffa0", "\ufe0f"),
    *("\u034f", "\u180e", "\u202e\u2069", "\U000e0041", "\U000e0100", "\U0001d159"),
    *("\u2800 \u00a0\n\t\u200b", "\u3164" * TEXT_CHARACTERS, " \u2800 "),
)


@pytest.mark.parametrize("text", BLANKS)
def test_texts_that_show_nothing_are_refused(text: str) -> None:
    """A message shows something: no blank is taken, as a text or as a caption."""
    said = {"text": ["Must have something visible."]}
    assert refused("send", {**SEND, "text": text}) == said
    caption = {**SEND, "type": "image", "image": b"x", "text": text}
    assert refused("send", caption) == said


@pytest.mark.parametrize(
    "text", [".", "ㅋ", "❤\ufe0f", "\u200e(", "\u0301", "\ue000", "\u2801", "a\u200b"]
)
def test_one_visible_sign_is_a_text(text: str) -> None:
    """What is not drawn is taken, and kept, beside something that is."""
    assert load("send", {**SEND, "text": text})["text"] == text


def test_all_spaces_and_controls_of_unicode_are_blank() -> None:
    """No space that Unicode knows makes a text, nor do all of them together."""
    every = [chr(number) for number in range(sys.maxunicode + 1)]
    kinds = ("Zs", "Zl", "Zp", "Cc")
    missed = [one for one in every if unicodedata.category(one) in kinds]
    assert not [hex(ord(one)) for one in missed if VISIBLE.search(one)]
    letters = [one for one in every if unicodedata.category(one) in ("Lu", "Ll", "Nd")]
    assert all(VISIBLE.search(one) for one in letters)


@pytest.mark.parametrize("text", [None, 5, True, ["hi"], {"a": 1}, b"hi"])
def test_what_is_no_text_is_refused(text: object) -> None:
    """Nothing is turned into a text."""
    assert "text" in refused("send", {**SEND, "text": text})


def test_the_refusal_of_a_character_says_which_and_where() -> None:
    """Somebody who pasted a control character learns which one to remove."""
    said = refused("send", {**SEND, "text": "ab\x07"})
    assert said["text"] == ["Control character U+0007 at position 2."]


@pytest.mark.parametrize(
    "number", [0, -1, True, 1.0, 1.5, "1", None, MAX_SAFE_INTEGER + 1, 2**64, 1e30, []]
)
def test_message_numbers_are_whole_and_exact_in_javascript(number: object) -> None:
    """No float, bool or numeric string passes for a message number."""
    assert "message" in refused("mark_read", {"room": "42", "message": number})
    assert load("mark_read", {"room": "42", "message": MAX_SAFE_INTEGER})


@pytest.mark.parametrize("on", [1, 0, "true", None, "", []])
def test_flags_are_true_or_false(on: object) -> None:
    """Nothing that merely looks true is taken for true."""
    assert "on" in refused("typing", {"room": "42", "on": on})


@pytest.mark.parametrize("event", sorted(REQUESTS))
@pytest.mark.parametrize("payload", [None, [], "x", 5, True, b"x", [{}]])
def test_a_payload_is_one_object(event: str, payload: object) -> None:
    """Whatever else is sent in its place is refused as a whole."""
    assert refused(event, payload) == {"payload": ["Must be an object."]}


@pytest.mark.parametrize("event", sorted(REQUESTS))
def test_unknown_fields_and_surplus_arguments_are_refused(event: str) -> None:
    """A misspelt field is an error, not silence."""
    assert refused(event, {"roon": "42"})["roon"] == ["There is no such field."]
    assert "payload" in refused(event, {}, {})
    if not REQUESTS[event].bare:
        assert "payload" in refused(event)


def test_rooms_needs_no_argument() -> None:
    """`rooms` may be sent bare or with an empty object."""
    assert load("rooms") == load("rooms", {}) == {"limit": ROOMS_PAGE}


@pytest.mark.parametrize("field", ["replyTo", "mentions", "image", "text"])
def test_optional_fields_are_left_out_rather_than_null(field: str) -> None:
    """Null is no value of an optional field."""
    assert field in refused("send", {**SEND, field: None})


def test_a_message_has_what_its_type_needs() -> None:
    """A text needs a text and no image; an image needs one and may have a caption."""
    image = {"room": "42", "clientId": "c1", "type": "image"}
    assert "text" in refused("send", {**image, "type": "text"})
    assert "image" in refused("send", image)
    assert "image" in refused("send", {**SEND, "image": b"x"})
    assert "image" in refused("send", {**image, "image": "data:image/png;base64,"})
    assert "image" in refused("send", {**image, "image": b""})
    assert "type" in refused("send", {**SEND, "type": "video"})
    assert load("send", {**image, "image": b"x", "text": " so "})["text"] == "so"


def test_an_image_message_has_up_to_ten() -> None:
    """As `images`, in place of `image`; each is named by its place."""
    several = {"room": "42", "clientId": "c1", "type": "image", "images": [b"x"] * 10}
    assert load("send", several)["images"] == [b"x"] * 10
    assert "images" in refused("send", {**several, "images": [b"x"] * 11})
    assert "images" in refused("send", {**several, "images": []})
    assert "images" in refused("send", {**several, "image": b"x"})
    assert "images" in refused("send", {**several, "type": "text", "text": "x"})
    assert "images.2" in refused("send", {**several, "images": [b"x", b"y", "z"]})


def test_mentions_are_some_different_users() -> None:
    """A mention is a user id; no user twice, no crowd."""
    assert load("send", {**SEND, "mentions": ["auth0|x", "a@b.c"]})["mentions"]
    assert "mentions.1" in refused("send", {**SEND, "mentions": ["a", "a"]})
    assert "mentions.0" in refused("send", {**SEND, "mentions": [5]})
    too_long = "x" * (USER_ID_CHARACTERS + 1)
    assert "mentions.0" in refused("send", {**SEND, "mentions": [too_long]})
    crowd = [str(number) for number in range(51)]
    assert "mentions" in refused("send", {**SEND, "mentions": crowd})


def test_history_is_held_to_a_page() -> None:
    """A limit above the page is held to it; before and after exclude each other."""
    asked = {"room": "42"}
    assert load("history", asked)["limit"] == HISTORY_DEFAULT
    assert load("history", {**asked, "limit": 5000})["limit"] == HISTORY_MESSAGES
    assert "limit" in refused("history", {**asked, "limit": 0})
    assert "after" in refused("history", {**asked, "before": 5, "after": 1})


def test_a_malformed_cursor_is_one_that_is_not_honoured() -> None:
    """The protocol answers it with recovered:false; only another type is invalid."""
    for cursor in ("", "x", "5", "-1:a", "1:a b", "1:" + "x" * 65, "٣:a", "9" * 30):
        assert load("join", {"room": "42", "cursor": cursor})["cursor"] == ""
    assert load("join", {"room": "42", "cursor": "57:k3_-"})["cursor"] == "57:k3_-"
    assert "cursor" in refused("join", {"room": "42", "cursor": 57})
    assert "cursor" in refused("join", {"room": "42", "cursor": None})


def test_sync_names_the_room_that_is_wrong() -> None:
    """Errors of a list carry the position; a room may not appear twice."""
    said = refused("sync", {"rooms": [{"room": "1"}, {"room": "!"}, {"room": "1"}, 5]})
    assert sorted(said) == ["rooms.1.room", "rooms.2", "rooms.3"]
    many = [{"room": str(number)} for number in range(SYNC_ROOMS + 1)]
    assert "rooms" in refused("sync", {"rooms": many})
    assert load("sync", {"rooms": many[1:]})


def test_hostile_field_names_come_back_bounded_and_printable() -> None:
    """The answer to a thousand odd fields is short and can be encoded."""
    hostile = {f"{HIGH}{'x' * 1000}{number}": 1 for number in range(1000)}
    said = refused("leave", {"room": "42", **hostile})
    assert len(said) <= 20
    assert all(len(path) <= 64 and path.encode() for path in said)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)
FIELD_NAMES = sorted(
    {name for each in REQUESTS.values() for name in each.payload.fields}
)


@pytest.mark.timeout(120)
@settings(max_examples=400, deadline=None)
@given(
    event=st.sampled_from(sorted(REQUESTS)),
    arguments=st.lists(
        JSON | st.dictionaries(st.sampled_from(FIELD_NAMES), JSON, max_size=6),
        max_size=2,
    ),
)
def test_junk_is_invalid_and_nothing_else(event: str, arguments: list[object]) -> None:
    """Whatever JSON arrives: a payload, or `invalid` with fields; no other error."""
    told: dict[str, list[str]] | None = None
    try:
        load(event, *arguments)
    except InvalidError as error:
        told = error.to_wire()["fields"]  # type: ignore[assignment]
    assert told is None or (told and all(told.values()))
