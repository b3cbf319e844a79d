"""What the terminal client shows of what others wrote."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_client.view import EVENTS, View, visible
from schemas.catalog import BROADCASTS

PLAIN = View(colours=False, url="http://chat.example")
# What moves a cursor, rings, sets a title, or turns text around.
HOSTILE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@given(st.text(), st.text(), st.text())
def test_nothing_of_others_commands_the_terminal(a: str, b: str, c: str) -> None:
    """Control and turning characters are shown by their numbers, in every field."""
    fields = {
        **dict.fromkeys(("text", "reason", "said", "name", "role", "writers"), a),
        **dict.fromkeys(("user", "by", "key", "message", "at", "replyTo"), b),
        "reactions": {c: 1},
        "counts": {c: c},
        "edits": 1,
        "image": {"url": c, "width": a, "height": b, "size": c},
        "on": True,
    }
    for name in ("message", *EVENTS):
        shown = PLAIN.event(name, fields)
        assert shown is not None
        assert HOSTILE.search(shown) is None
    for page in (PLAIN.rooms, PLAIN.members, PLAIN.history):
        rows = [{**fields, "room": c}]
        ack = {"rooms": rows, "members": rows, "messages": rows}
        assert HOSTILE.search(page({**ack, "more": True})) is None


def test_a_text_cannot_look_like_another_message() -> None:
    """Its further lines are marked as such."""
    fields = {"message": 1, "user": "eve", "text": "hi\n#2 12:00 ann: yes", "at": 1}
    assert PLAIN.message(fields).splitlines()[1] == "    | #2 12:00 ann: yes"


def test_emoji_and_joined_letters_stay_whole() -> None:
    """The joiners of families and of Persian words are no threat."""
    for text in ("👩\u200d👩\u200d👧", "می\u200cخواهم", "결제"):
        assert visible(text) == text


def test_a_name_stands_beside_the_id() -> None:
    """Anybody may call themselves ann: the id tells them apart."""
    fields = {"message": 3, "user": "eve", "name": "ann", "text": "hi", "at": 1}
    assert " ann (eve): hi" in PLAIN.message(fields)


def test_a_message_is_shown_in_its_present_state() -> None:
    """Edited, reacted to, an answer, an image with its size and address, deleted."""
    image = {"url": "/images/a.png?x", "width": 3, "height": 2, "size": 9}
    fields = {"message": 3, "user": "ann", "type": "image", "image": image, "at": 1}
    more = {"text": "look", "replyTo": 2, "edits": 1, "reactions": {"+1": 2}}
    assert PLAIN.message({**fields, **more}).endswith(
        "ann: (answers #2) [image 3x2, 9 bytes: http://chat.example/images/a.png?x]"
        " look (edited) [+1 2]"
    )
    gone = {"message": 3, "user": "ann", "type": "deleted", "at": 1}
    assert PLAIN.message(gone).endswith("ann: (deleted)")


def test_every_event_of_the_log_is_shown() -> None:
    """None that others see passes unseen here."""
    logged = {name for name, each in BROADCASTS.items() if each.logged}
    assert logged <= {"message", *EVENTS}
    assert PLAIN.event("typing", {"user": "ann"}) is None


@pytest.mark.parametrize("colours", [True, False])
def test_colours_come_only_where_they_are_wanted(colours: bool) -> None:
    """A file or another program gets plain text."""
    fields = {"message": 1, "user": "ann", "text": "hi", "at": 1}
    view = View(colours=colours, url="")
    assert ("\x1b[" in view.message(fields)) is colours
