"""What all schemas and fields have in common: strictness, and errors for people."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from marshmallow import RAISE, Schema, ValidationError, fields, missing
from marshmallow.decorators import VALIDATES_SCHEMA
from marshmallow.exceptions import SCHEMA

# Control characters and the halves of surrogate pairs.
UNCLEAN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class _Step(NamedTuple):
    """How one field is loaded."""

    name: str
    load: Callable[..., Any]
    required: bool
    default: Any


class StrictSchema(Schema):
    """A schema that refuses what it does not know."""

    class Meta:
        """Options of marshmallow."""

        unknown = RAISE

    error_messages = {  # noqa: RUF012 - marshmallow's own way to declare them
        "type": "Must be an object.",
        "unknown": "There is no such field.",
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._steps: tuple[_Step, ...] | None = None
        self._rules: tuple[Callable[..., None], ...] = ()

    def load(self, *data: Any, **options: Any) -> Any:
        """Load what a client sent, as marshmallow does.

        Its own frame keeps the error that it raises, and the error the frame: a circle
        that would hold what the client sent until garbage is collected.

        Raises:
            ValidationError: With what is wrong, by field.
        """
        try:
            return super().load(*data, **options)
        except ValidationError as error:
            raise error.with_traceback(None) from None

    def accept(self, data: object) -> dict[str, Any] | None:
        """Return what :meth:`load` returns for ``data``, None if it would refuse it.

        The same fields judge, without the bookkeeping that lets ``load`` name all
        errors at once: a fifth of its time, and this is what each event costs. None is
        also returned where only ``load`` can tell, so whoever gets it calls ``load``.
        """
        if type(data) is not dict:
            return None
        try:
            loaded = self._load_fields(data)
            if loaded is not None:
                for rule in self._rules:
                    rule(loaded)
        except ValidationError:
            return None
        return loaded

    def _load_fields(self, data: dict[str, Any]) -> dict[str, Any] | None:
        loaded: dict[str, Any] = {}
        known = 0
        for name, load, required, default in self._steps or self._plan():
            if name in data:
                value = data[name]
                if value is None:
                    return None
                loaded[name] = load(value, name, data)
                known += 1
            elif required:
                return None
            elif default is not missing:
                loaded[name] = default
        return loaded if known == len(data) else None

    def _plan(self) -> tuple[_Step, ...]:
        """Note how the fields are loaded.

        Raises:
            TypeError: for a field with what only marshmallow's own way does.
        """
        for name, field in self.load_fields.items():
            plain = isinstance(field, StrictField) and not (
                field.validators or field.allow_none or callable(field.load_default)
            )
            if not plain or field.data_key not in (None, name) or field.attribute:
                raise TypeError(f"{type(self).__name__}.{name} is not a plain field")
        self._steps = tuple(
            _Step(name, field._deserialize, field.required, field.load_default)
            for name, field in self.load_fields.items()
        )
        self._rules = tuple(
            getattr(self, name) for name, _many, _how in self._hooks[VALIDATES_SCHEMA]
        )
        return self._steps


def require_clean(value: str, allowed: frozenset[str] = frozenset()) -> None:
    """Refuse control characters and lone surrogates.

    A lone surrogate is half a character: JSON can carry it, UTF-8 cannot.

    Args:
        value: The text to look at.
        allowed: Control characters that are fine here.

    Raises:
        ValidationError: naming the character's code point and position.
    """
    if value.isprintable():
        # Neither kind is, and this is the quickest way to know.
        return
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
    if name == SCHEMA:
        return path
    step = str(name)[:64].encode("utf-8", "replace").decode("utf-8")
    return f"{path}.{step}" if path else step
