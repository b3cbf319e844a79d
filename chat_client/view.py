"""What is shown: pure functions from events and acks to lines of text.

Everything that others wrote goes through :func:`visible` before it reaches a terminal.
"""

import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from zlib import crc32

Fields = Mapping[str, Any]

# Categories that a terminal obeys, or that turn text around, instead of showing them.
HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that words and emoji of many languages need, and that do no harm:
# the zero-width non-joiner and joiner.
HARMLESS: Final = frozenset({"\u200c", "\u200d"})

# Begins each further line of a text, so that none looks like another message.
CONTINUED: Final = "\n    | "

# SGR codes of users: the six colours that are neither black nor white.
USER_COLOURS: Final = (31, 32, 33, 34, 35, 36)
FAINT: Final = 2


def visible(text: object, *, newline: str = "<U+000A>") -> str:
    """Return a text with every character that would not be shown as its number.

    Args:
        text: What somebody else wrote.
        newline: What stands for a line's end.
    """
    return "".join(
        newline
        if char == "\n"
        else f"<U+{ord(char):04X}>"
        if unicodedata.category(char) in HIDDEN and char not in HARMLESS
        else char
        for char in str(text)
    )


class View:
    """Formats for one kind of output.

    Args:
        colours: Whether to write SGR codes.
        url: The server, for addresses of images.
    """

    def __init__(self, *, colours: bool, url: str) -> None:
        self._colours = colours
        self._url = url

    def event(self, name: str, fields: Fields) -> str | None:
        """Return what to show of an event; None: nothing."""
        shown = EVENTS.get(name)
        if name == "message":
            return self.message(fields)
        return None if shown is None else self.notice(shown(_Seen(fields)))

    def message(self, fields: Fields) -> str:
        """Return a message in its present state: number, time, author, words."""
        head = f"#{_Seen(fields)['message']} {_clock(fields.get('at'))}"
        return f"{self._sgr(FAINT, head)} {self._author(fields)}: {self._body(fields)}"

    def notice(self, text: str) -> str:
        """Return a line that is no message."""
        return self._sgr(FAINT, f"* {text}")

    def rooms(self, ack: Fields) -> str:
        """Return a page of rooms, one a line."""
        lines = [
            f"{seen['room']} {seen.quoted('name')}unread {seen['unread']}"
            f", last #{seen['lastMessage']}"
            for seen in map(_Seen, ack.get("rooms") or ())
        ]
        return self._page(lines, ack, "/rooms", "room", "rooms")

    def members(self, ack: Fields) -> str:
        """Return a page of members, one a line."""
        lines = [
            f"{seen['user']} {seen.quoted('name')}{seen['role']}"
            f"{', here' if fields.get('online') else ''}{_muted(fields)}"
            for fields in ack.get("members") or ()
            for seen in [_Seen(fields)]
        ]
        return self._page(lines, ack, "/members", "user", "members")

    def history(self, ack: Fields) -> str:
        """Return a page of messages."""
        messages = ack.get("messages") or ()
        return "\n".join(map(self.message, messages)) or self.notice("no messages")

    def _page(
        self, lines: list[str], ack: Fields, command: str, key: str, what: str
    ) -> str:
        if not lines:
            return self.notice(f"no {what}")
        if ack.get("more"):
            last = _Seen(ack[what][-1])[key]
            lines.append(f"there are more: {command} {last}")
        return "\n".join(map(self.notice, lines))

    def _author(self, fields: Fields) -> str:
        user = str(fields.get("user", "?"))
        name = fields.get("name")
        # Anybody may have any name: the id stands beside it.
        shown = visible(user if name in (None, user) else f"{name} ({user})")
        colour = USER_COLOURS[crc32(user.encode(errors="replace")) % len(USER_COLOURS)]
        return self._sgr(colour, shown)

    def _body(self, fields: Fields) -> str:
        if fields.get("type") == "deleted":
            return self._sgr(FAINT, "(deleted)")
        seen = _Seen(fields)
        parts = [f"(answers #{seen['replyTo']})"] if "replyTo" in fields else []
        image = fields.get("image")
        images = fields.get("images") or ([image] if image else [])
        parts += [self._image(_Seen(each)) for each in images]
        if fields.get("text"):
            parts.append(visible(fields["text"], newline=CONTINUED))
        if fields.get("edits"):
            parts.append(self._sgr(FAINT, "(edited)"))
        counts = (fields.get("reactions") or {}).items()
        parts += [f"[{visible(key)} {visible(count)}]" for key, count in counts]
        return " ".join(parts)

    def _image(self, seen: "_Seen") -> str:
        size = f"{seen['width']}x{seen['height']}, {seen['size']} bytes"
        return f"[image {size}: {visible(self._url)}{seen['url']}]"

    def _sgr(self, code: int, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


class _Seen:
    """An event's fields, each made visible; what is missing is a question mark."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields

    def __getitem__(self, name: str) -> str:
        return visible(self.fields.get(name, "?"))

    def get(self, name: str, before: str, after: str = "") -> str:
        """Return a field between two texts, or nothing where there is none."""
        found = self.fields.get(name)
        return "" if found in (None, "") else f"{before}{visible(found)}{after}"

    def quoted(self, name: str) -> str:
        """Return a field in quotation marks and a space, or nothing."""
        return self.get(name, '"', '" ')


def _clock(at: object) -> str:
    try:
        return f"{datetime.fromtimestamp(float(str(at)) / 1000).astimezone():%H:%M}"
    except (ValueError, OverflowError, OSError):
        return "--:--"


def _muted(fields: Fields) -> str:
    until = fields.get("mutedUntil")
    return f", muted until {_clock(until)}" if until else ""


def _presence(seen: _Seen) -> str:
    if "user" not in seen.fields:
        return f"{seen['onlineCount']} are here"
    came = seen.fields.get("online")
    return f"{seen.quoted('name')}{seen['user']} {'is here' if came else 'went'}"


def _pin(seen: _Seen) -> str:
    act = "pinned" if seen.fields.get("on") else "took the pin off"
    return f"{seen['by']} {act} #{seen['message']}"


def _reaction(seen: _Seen) -> str:
    on = seen.fields.get("on")
    act = "reacted with" if on else "took back"
    return (
        f"{seen['user']} {act} {seen['key']} {'to' if on else 'from'}"
        f" #{seen['message']} (now {seen['count']})"
    )


def _reactions(seen: _Seen) -> str:
    counts = (seen.fields.get("counts") or {}).items()
    told = ", ".join(f"{visible(key)} {visible(count)}" for key, count in counts)
    return f"#{seen['message']} has {told}"


def _edited(seen: _Seen) -> str:
    text = visible(seen.fields.get("text", ""), newline=CONTINUED)
    return f"#{seen['message']} edited by {seen['user']}: {text}"


EVENTS: Final[Mapping[str, Callable[[_Seen], str]]] = {
    "message_edited": _edited,
    "message_deleted": lambda seen: (
        f"#{seen['message']} deleted{seen.get('by', ' by ')}{seen.get('reason', ': ')}"
    ),
    "reaction": _reaction,
    "reactions": _reactions,
    "pin": _pin,
    "presence": _presence,
    "member_joined": lambda seen: (
        f"{seen['user']} joined as {seen['role']}{seen.get('by', ', added by ')}"
    ),
    "member_left": lambda seen: (
        f"{seen['user']} left ({seen['reason']}{seen.get('by', ' by ')}"
        f"{seen.get('said', ': ')})"
    ),
    "member_changed": lambda seen: (
        f"{seen['user']} is {seen['role']} now{_muted(seen.fields)}"
        f"{seen.get('by', ', by ')}"
    ),
    "room_created": lambda seen: f"the room was made{seen.get('by', ' by ')}",
    "room_changed": lambda seen: (
        f"the room's settings changed{seen.get('by', ', by ')}: {seen.quoted('name')}"
        f"writers {seen['writers']}, slow {seen['slow']} s, history {seen['history']}"
    ),
    "room_deleted": lambda seen: f"the room was deleted{seen.get('by', ' by ')}",
}
