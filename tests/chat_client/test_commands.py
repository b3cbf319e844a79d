"""What lines mean to the terminal client."""

import pytest

from chat_client.commands import COMMANDS, UsageError, help_text, parse
from schemas.catalog import REQUESTS

GOOD = {
    "help": "",
    "rooms": "r1",
    "members": "ann",
    "join": "r2",
    "leave": "",
    "quit": "",
    "history": "7",
    "read": "",
    "edit": "1 new words",
    "delete": "1 why",
    "react": "1 +1",
    "unreact": "1 +1",
    "pin": "1",
    "unpin": "1",
    "reply": "1 yes",
    "kick": "bob was rude",
    "ban": "bob 60",
    "unban": "bob",
    "mute": "bob 60",
    "unmute": "bob",
    "role": "bob moderator",
    "exit": "",
}

BAD = {
    "help": ["me"],
    "rooms": ["a b"],
    "members": ["a b"],
    "join": ["", "a b"],
    "leave": ["r1"],
    "quit": ["r1"],
    "history": ["0", "101", "x", "-1"],
    "read": ["1"],
    "edit": ["", "1", "x words", "0 words"],
    "delete": ["", "x", "9007199254740992"],
    "react": ["", "1", "x +1"],
    "unreact": ["", "1", "² +1"],
    "pin": ["", "x", "1 2"],
    "unpin": ["", "x"],
    "reply": ["", "1", "x yes"],
    "kick": [""],
    "ban": ["", "bob x", "bob 0"],
    "unban": ["", "a b"],
    "mute": ["", "bob", "bob x", "bob 0"],
    "unmute": ["", "a b"],
    "role": ["", "bob", "bob king"],
    "exit": ["now"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_request_that_the_server_takes(name: str) -> None:
    """Its event and its fields are those of the protocol."""
    request = parse(f"/{name} {GOOD[name]}".rstrip())
    assert request is not None
    assert request.command == f"/{name}"
    if request.event in ("help", "exit"):
        return
    payload = {**request.payload, **({"room": "r1"} if request.room else {})}
    if request.event == "mark_read":
        payload["message"] = 1
    assert not REQUESTS[request.event].payload.validate(payload)


@pytest.mark.parametrize(
    ("name", "rest"), [(name, rest) for name in COMMANDS for rest in BAD[name]]
)
def test_what_is_wrong_is_answered_with_the_usage(name: str, rest: str) -> None:
    """Nothing of it is sent."""
    with pytest.raises(UsageError, match=f"usage: /{name}"):
        parse(f"/{name} {rest}".rstrip())


def test_texts_are_sent_as_they_are() -> None:
    """A text may begin with a slash, written twice; a blank line is nothing."""
    for line, text in (("hi", "hi"), ("//etc", "/etc"), (" /x", " /x")):
        request = parse(line)
        assert request is not None
        assert (request.event, request.payload["text"]) == ("send", text)
    assert parse("  ") is None
    with pytest.raises(UsageError, match="/help"):
        parse("/nope")


def test_help_names_every_command() -> None:
    """Each with its usage."""
    for name, each in COMMANDS.items():
        assert f"/{name} {each.usage}".rstrip() in help_text()
