"""What all schemas and fields have in common: strictness, and errors for people."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields

UNCLEAN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and the halves of surrogate pairs."""


class StrictSchema(Schema):
    """A schema that refuses what it does not know."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow's own way to declare them
        "type": "Must be an object.",
        "unknown": "There is no such field.",
    }


def require_clean(value: str, allowed: frozenset[str] = frozenset()) -> None:
    """Refuse control characters and lone surrogates.

    A lone surrogate is half a character: JSON can carry it, UTF-8 cannot.

    Args:
        value: The text to look at.
        allowed: Control characters that are fine here.

    Raises:
        ValidationError: naming the character's code point and position.
    """
    for found in UNCLEAN.finditer(value):
        character = found.group()
        if character in allowed:
            continue
        if unicodedata.category(character) == "Cs":
            raise ValidationError(
                f"Half a character (lone surrogate) at position {found.start()}."
            )
        raise ValidationError(
            f"Control character U+{ord(character):04X} at position {found.start()}."
        )


class StrictField(fields.Field[Any]):
    """A field that is required unless told otherwise, and never null."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's own way
        "required": "This field is required.",
        "null": "Must not be null; leave the field out instead.",
    }

    def __init__(self, *, required: bool = True, **options: Any) -> None:
        super().__init__(required=required, **options)

    def _string(self, value: object) -> str:
        if type(value) is not str:
            raise ValidationError("Must be a string.")
        return value


def flatten_errors(messages: object, *, longest: int = 20) -> dict[str, list[str]]:
    """Turn marshmallow's nested messages into ``{"rooms.0.room": ["…"]}``.

    What concerns the payload as a whole is under ``payload``.

    Args:
        messages: ``ValidationError.messages``.
        longest: The most paths returned: whoever sends a thousand unknown fields
            learns of the first ones.
    """
    found: dict[str, list[str]] = {}
    pending: list[tuple[str, object]] = [("", messages)]
    while pending and len(found) < longest:
        path, node = pending.pop(0)
        if isinstance(node, Mapping):
            pending[:0] = [(_join(path, name), child) for name, child in node.items()]
        else:
            said = node if isinstance(node, list) else [node]
            found.setdefault(path or "payload", []).extend(str(one) for one in said)
    return found


def _join(path: str, name: object) -> str:
    """Append one step; the name may be hostile, so it is cut and made printable."""
    if name == "_schema":
        return path
    step = str(name)[:64].encode("utf-8", "replace").decode("utf-8")
    return f"{path}.{step}" if path else step
