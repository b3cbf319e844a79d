"""The strict field types that the schemas are made of.

JSON has few types and Python converts between them gladly: ``True`` is an ``int``,
``"5"`` becomes 5, 5.0 becomes 5. None of that happens here. What a field accepts is
what it returns, and every error is a sentence for the person who reads it.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from marshmallow import ValidationError, fields

from schemas.base import StrictField, require_clean

# JavaScript's largest exact integer: a higher one would change on its way.
MAX_SAFE_INTEGER: Final = 2**53 - 1

ROOM_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
CLIENT_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
UID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
IDENTIFIER_PATTERN: Final = re.compile("[a-z_]{1,40}")
INVITE_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{22}")
LIST_CURSOR: Final = re.compile(r"[0-9]{1,16}:[A-Za-z0-9_-]{1,64}")
CURSOR_PATTERN: Final = re.compile(r"[0-9]{1,16}:[A-Za-z0-9_-]{0,64}")

# Long enough for the subjects of all common identity providers.
USER_ID_CHARACTERS: Final = 128

# Code points of a message's text: some two printed pages.
TEXT_CHARACTERS: Final = 4_000

# Objects and lists within one another, of an application's data.
DATA_DEPTH: Final = 5

# The control characters that people type.
LINE_CONTROLS: Final = frozenset("\n\t")

# What JavaScript's ``trim()`` removes, so that clients and server agree.
TRIMMED: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
    "\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
)

# What shows nothing: spaces, controls, Unicode's Default_Ignorable_Code_Point, and the
# signs that are drawn empty (Braille without a dot, a musical null note head, marks of
# annotations). By code points, for `unicodedata` does not know that property; the web
# client has the same in src/page/blank.js.
BLANK: Final = (
    "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
VISIBLE: Final = re.compile(f"[^{BLANK}]")

# What turns the text around it from right to left, or back, until another sign ends it:
# embeddings, overrides and isolates (UAX 9).
TURNING: Final = re.compile("[\u2028-\u202e\u2066-\u2069]")


class WholeNumber(StrictField):
    """An integer; neither ``true`` nor ``5.0`` nor ``"5"``.

    Args:
        minimum: The least value accepted.
        held_to: A higher value is taken for this one; None: refused above
            :data:`MAX_SAFE_INTEGER` only.
    """

    def __init__(
        self, *, minimum: int = 0, held_to: int | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.minimum = minimum
        self.held_to = held_to

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> int:
        if type(value) is not int:
            raise ValidationError("Must be a whole number.")
        if value < self.minimum:
            raise ValidationError(f"Must be {self.minimum} or more.")
        if value > MAX_SAFE_INTEGER:
            raise ValidationError(f"Must be {MAX_SAFE_INTEGER} or less.")
        return value if self.held_to is None else min(value, self.held_to)


class Flag(StrictField):
    """``true`` or ``false``; neither 1 nor ``"true"``."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> bool:
        if type(value) is not bool:
            raise ValidationError("Must be true or false.")
        return value


class PatternText(StrictField):
    """A string that matches a pattern as a whole.

    Args:
        pattern: What the whole string must match.
        rule: The sentence that says so.
    """

    def __init__(self, pattern: re.Pattern[str], rule: str, **options: Any) -> None:
        super().__init__(**options)
        self.pattern = pattern
        self._matches = pattern.fullmatch
        self.rule = rule

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        if type(value) is str and self._matches(value):
            return value
        self._string(value)
        raise ValidationError(self.rule)


class Word(PatternText):
    """One of a few words.

    Args:
        words: All of them.
    """

    def __init__(self, *words: str, **options: Any) -> None:
        rule = f"Must be {' or '.join(words)}."
        super().__init__(re.compile("|".join(map(re.escape, words))), rule, **options)
        self.words = words


class RoomId(PatternText):
    """A room: 1-64 of ``A-Z a-z 0-9 _ -``. It cannot be a Redis pattern."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            ROOM_ID_PATTERN, "Must be 1 to 64 of A-Z a-z 0-9 _ -.", **options
        )


class ClientId(PatternText):
    """An idempotency key, a UUID as a rule: 1-64 of ``A-Z a-z 0-9 _ -``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            CLIENT_ID_PATTERN, "Must be 1 to 64 of A-Z a-z 0-9 _ -.", **options
        )


class InviteToken(PatternText):
    """An invite: 128 random bits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(INVITE_PATTERN, "Must be an invite.", **options)


class ListCursor(PatternText):
    """Where a page of rooms by their last message ends: a time and a room."""

    def __init__(self, **options: Any) -> None:
        super().__init__(LIST_CURSOR, "Must be a cursor of rooms.", **options)


class Uid(PatternText):
    """What tells an event of a log from another one of the same offset."""

    def __init__(self, **options: Any) -> None:
        super().__init__(UID_PATTERN, "Must be a uid.", **options)


class Identifier(PatternText):
    """A word for programs, as ``rate_event``; which there are is not said here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(IDENTIFIER_PATTERN, "Must be a word.", **options)


class UserId(StrictField):
    """A user: 1-128 characters (``auth0|x``, e-mail), one of them visible.

    Neither control characters nor what turns the text around it.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        if not 1 <= len(text) <= USER_ID_CHARACTERS:
            raise ValidationError(f"Must be 1 to {USER_ID_CHARACTERS} characters.")
        require_clean(text)
        if not VISIBLE.search(text):
            raise ValidationError("Must have something visible.")
        if found := TURNING.search(text):
            sign = f"U+{ord(found.group()):04X}"
            raise ValidationError(
                f"{sign} at position {found.start()} turns the text around."
            )
        return text


# What the ids of API keys' senders begin with, and no user's does.
KEY_SENDER: Final = "$"


# Who stands where a user stood whom the application has erased; no key is called so.
ERASED: Final = "$erased"


class PersonId(UserId):
    """Who connects: a user whose id does not begin with ``$``, as those of keys do."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **options: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if text.startswith(KEY_SENDER):
            raise ValidationError(f"Must not begin with {KEY_SENDER}.")
        return text


class Cursor(StrictField):
    """Where a client left off, ``<offset>:<uid>``.

    A string that has another form becomes ``""``, the cursor that is never honoured:
    the protocol answers it with ``recovered: false`` rather than with an error.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        return text if CURSOR_PATTERN.fullmatch(text) else ""


class Text(StrictField):
    """What a person wrote, returned as it is to be stored.

    CRLF becomes LF, what JavaScript's ``trim()`` would remove is removed, and
    1 to :data:`TEXT_CHARACTERS` code points must be left, one of them visible.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        if type(value) is str and len(value) <= TEXT_CHARACTERS and value.isprintable():
            # One line without oddities, as most are: of all that is refused or
            # trimmed, only the space is printable to Python.
            line = value.strip(" ")
            if VISIBLE.search(line):
                return line
        text = self._string(value).replace("\r\n", "\n").strip(TRIMMED)
        if not text:
            raise ValidationError("Must not be empty.")
        if len(text) > TEXT_CHARACTERS:
            raise ValidationError(
                f"Must be {TEXT_CHARACTERS} characters or fewer, not {len(text)}."
            )
        require_clean(text, allowed=LINE_CONTROLS)
        if not VISIBLE.search(text):
            raise ValidationError("Must have something visible.")
        return text


class Label(StrictField):
    """One line as a person wrote it: no control characters, something visible.

    Args:
        longest: The most characters accepted.
    """

    def __init__(self, *, longest: int, **options: Any) -> None:
        super().__init__(**options)
        self.longest = longest

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        if not 1 <= len(text) <= self.longest:
            raise ValidationError(f"Must be 1 to {self.longest} characters.")
        require_clean(text)
        if TURNING.search(text):
            raise ValidationError("Must not turn the direction of text.")
        if not VISIBLE.search(text):
            raise ValidationError("Must have something visible.")
        return text


class JsonData(StrictField):
    """An object of an application's own, opaque to the server and small.

    Args:
        longest: Bytes that it may have as JSON.
    """

    def __init__(self, *, longest: int, **options: Any) -> None:
        super().__init__(**options)
        self.longest = longest

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        try:
            _require_shallow(value, self.longest)
            size = len(json.dumps(value, ensure_ascii=False).encode())
        except UnicodeEncodeError:
            raise ValidationError("Has half a character (lone surrogate).") from None
        if size > self.longest:
            raise ValidationError(f"Must have {self.longest} bytes or fewer as JSON.")
        return value


def _require_shallow(value: dict[str, Any], most: int) -> None:
    """Refuse JSON that is deep, and what has no place in it, before it is encoded.

    Args:
        value: The object.
        most: Values that are looked at: each takes a byte at least.
    """
    level: list[Any] = [value]
    for depth in range(1, DATA_DEPTH + 2):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict | list):
                inner.extend(one.values() if isinstance(one, dict) else one)
                if depth > DATA_DEPTH:
                    raise ValidationError(f"Must have {DATA_DEPTH} levels or fewer.")
            elif isinstance(one, bytes | bytearray):
                raise ValidationError("Must have no binary data.")
            elif type(one) is int and abs(one) > MAX_SAFE_INTEGER:
                raise ValidationError(f"Numbers must be {MAX_SAFE_INTEGER} or less.")
        most -= len(inner)
        if most < 0:
            raise ValidationError("Has too many values.")
        level = inner


class Binary(StrictField):
    """Bytes, sent as a Socket.IO attachment."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> bytes:
        if not isinstance(value, bytes | bytearray):
            raise ValidationError("Must be binary data.")
        if not value:
            raise ValidationError("Must not be empty.")
        return bytes(value)


class ListOf(StrictField):
    """A list of bounded length; each item by the same field or schema.

    The length is checked before the items, so that a long list costs nothing.

    Args:
        item: The field that loads an item.
        longest: The most items accepted.
        key: Makes of a loaded item what must not appear twice; None: all may.
    """

    def __init__(
        self,
        item: fields.Field[Any],
        *,
        longest: int,
        key: Callable[[Any], object] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.item = item
        self.longest = longest
        self.key = key

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError("Must be a list.")
        if len(value) > self.longest:
            raise ValidationError(f"Must have {self.longest} items or fewer.")
        loaded: list[Any] = []
        seen: set[object] = set()
        problems: dict[str | int, Any] = {}
        for index, one in enumerate(value):
            try:
                item = self.item.deserialize(one)
                self._refuse_twin(item, seen)
            except ValidationError as error:
                problems[index] = error.messages
            else:
                loaded.append(item)
        if problems:
            raise ValidationError(problems)
        return loaded

    def _refuse_twin(self, item: object, seen: set[object]) -> None:
        if self.key is None:
            return
        mark = self.key(item)
        if mark in seen:
            raise ValidationError("Appears twice.")
        seen.add(mark)
