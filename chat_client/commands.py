"""What a line means: pure functions from what was typed to a request."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

# The highest whole number of the protocol, and the longest page of history.
MOST: Final = 2**53 - 1
HISTORY_MESSAGES: Final = 100

ROLES: Final = ("owner", "moderator", "member")

Payload = dict[str, object]


class UsageError(Exception):
    """A line that means nothing; with a sentence that says what would."""


@dataclass(frozen=True)
class Request:
    """What a line asks for.

    Attributes:
        event: The event to send; ``help`` and ``exit`` are the client's own.
        payload: Its fields, without the room.
        command: As it was typed, for messages; empty for a text.
        room: Whether the current room goes along.
    """

    event: str
    payload: Payload
    command: str = ""
    room: bool = True


@dataclass(frozen=True)
class _Command:
    usage: str
    help: str
    parse: Callable[[str], Request]


def parse(line: str) -> Request | None:
    """Return what a line asks for; None: nothing, it is blank.

    A line that begins with ``//`` is a text that begins with ``/``.

    Raises:
        UsageError: There is no such command, or it is used otherwise.
    """
    if not line.strip():
        return None
    if not line.startswith("/") or line.startswith("//"):
        return _send(line.removeprefix("/") if line.startswith("//") else line)
    name, _, rest = line[1:].strip().partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(f"there is no /{name}; /help lists what there is")
    try:
        request = command.parse(rest.strip())
    except ValueError as error:
        raise UsageError(f"{error}; usage: /{name} {command.usage}".rstrip()) from None
    return Request(request.event, request.payload, f"/{name}", request.room)


def help_text() -> str:
    """Return all commands, one a line."""
    lines = [
        f"{f'/{name} {each.usage}':<26} {each.help}" for name, each in COMMANDS.items()
    ]
    return "\n".join([*lines, f"{'//text':<26} sends /text"])


def _send(text: str, **more: object) -> Request:
    payload = {"clientId": str(uuid4()), "type": "text", "text": text, **more}
    return Request("send", payload)


def _whole(text: str, what: str, *, least: int = 1, most: int = MOST) -> int:
    # Longer ones are too high, and slow to read.
    if re.fullmatch(r"[0-9]{1,16}", text) is None or not least <= int(text) <= most:
        raise ValueError(f"{what} is a whole number from {least} to {most}")
    return int(text)


def _split(rest: str, first: str, second: str) -> tuple[str, str]:
    one, _, two = rest.partition(" ")
    if not one or not two.strip():
        raise ValueError(f"{first} and {second} are needed")
    return one, two.strip()


def _one(rest: str, what: str) -> str:
    if not rest or " " in rest:
        raise ValueError(f"{what} is needed, and nothing else")
    return rest


def _nothing(event: str, *, room: bool = True) -> Callable[[str], Request]:
    def parse_it(rest: str) -> Request:
        if rest:
            raise ValueError("nothing follows it")
        return Request(event, {}, room=room)

    return parse_it


def _paged(event: str, *, room: bool) -> Callable[[str], Request]:
    def parse_it(rest: str) -> Request:
        payload: Payload = {"after": _one(rest, "one id")} if rest else {}
        return Request(event, payload, room=room)

    return parse_it


def _numbered(event: str, **more: object) -> Callable[[str], Request]:
    return lambda rest: Request(
        event, {"message": _whole(_one(rest, "a number"), "N"), **more}
    )


def _person(event: str, **more: object) -> Callable[[str], Request]:
    return lambda rest: Request(event, {"user": _one(rest, "a user"), **more})


def _history(rest: str) -> Request:
    limit = _whole(rest, "N", most=HISTORY_MESSAGES) if rest else 20
    return Request("history", {"limit": limit})


def _edit(rest: str) -> Request:
    number, text = _split(rest, "a number", "a text")
    payload = {"message": _whole(number, "N"), "text": text, "clientId": str(uuid4())}
    return Request("edit", payload)


def _delete(rest: str) -> Request:
    number, _, reason = rest.partition(" ")
    payload: Payload = {"message": _whole(number, "N")}
    return Request("delete", payload | ({"reason": reason} if reason else {}))


def _react(rest: str, *, on: bool) -> Request:
    number, key = _split(rest, "a number", "a key")
    return Request("react", {"message": _whole(number, "N"), "key": key, "on": on})


def _reply(rest: str) -> Request:
    number, text = _split(rest, "a number", "a text")
    return _send(text, replyTo=_whole(number, "N"))


def _kick(rest: str) -> Request:
    user, _, reason = rest.partition(" ")
    payload: Payload = {"user": _one(user, "a user")}
    return Request("member_remove", payload | ({"reason": reason} if reason else {}))


def _ban(rest: str) -> Request:
    user, _, seconds = rest.partition(" ")
    until = {"banSeconds": _whole(seconds, "SECONDS")} if seconds else {"ban": True}
    return Request("member_remove", {"user": _one(user, "a user"), **until})


def _mute(rest: str) -> Request:
    user, seconds = _split(rest, "a user", "seconds")
    payload = {"user": user, "muteSeconds": _whole(seconds, "SECONDS")}
    return Request("member_set", payload)


def _role(rest: str) -> Request:
    user, role = _split(rest, "a user", "a role")
    if role not in ROLES:
        raise ValueError(f"a role is one of {', '.join(ROLES)}")
    return Request("member_set", {"user": user, "role": role})


COMMANDS: Final[Mapping[str, _Command]] = {
    "help": _Command("", "this list", _nothing("help", room=False)),
    "rooms": _Command("[AFTER]", "your rooms", _paged("rooms", room=False)),
    "members": _Command("[AFTER]", "who the members are", _paged("members", room=True)),
    "join": _Command(
        "ROOM",
        "go to another room",
        lambda rest: Request("join", {"room": _one(rest, "a room")}, room=False),
    ),
    "leave": _Command("", "leave the room, stay a member", _nothing("leave")),
    "quit": _Command("", "be a member no longer", _nothing("quit")),
    "history": _Command("[N]", "the newest messages, 20 of them", _history),
    "read": _Command("", "mark all as read", _nothing("mark_read")),
    "edit": _Command("N TEXT", "give your message other words", _edit),
    "delete": _Command("N [REASON]", "delete a message", _delete),
    "react": _Command("N KEY", "react to a message", lambda t: _react(t, on=True)),
    "unreact": _Command("N KEY", "take that back", lambda t: _react(t, on=False)),
    "pin": _Command("N", "pin a message", _numbered("pin", on=True)),
    "unpin": _Command("N", "take the pin off", _numbered("pin", on=False)),
    "reply": _Command("N TEXT", "answer a message", _reply),
    "kick": _Command("USER [REASON]", "put a member out", _kick),
    "ban": _Command("USER [SECONDS]", "put them out, for so long", _ban),
    "unban": _Command("USER", "end a ban", _person("unban")),
    "mute": _Command("USER SECONDS", "they may not write for so long", _mute),
    "unmute": _Command("USER", "end that", _person("member_set", muteSeconds=0)),
    "role": _Command("USER ROLE", "owner, moderator or member", _role),
    "exit": _Command("", "end; so does Ctrl-D", _nothing("exit", room=False)),
}
