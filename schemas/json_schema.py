"""JSON Schemas of the payloads, for the documents that describe the interfaces.

They say what the fields accept once it is trimmed; what JSON Schema cannot say (half a
character, the depth of an application's own JSON) is refused all the same.
"""

from collections.abc import Callable, Mapping
from functools import singledispatch
from typing import Any, Final

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from schemas.acks import ERROR_CODES, ErrorCode, EventArray, SyncItem
from schemas.api import UploadField
from schemas.broadcasts import ImageField, MapOf, Sentence
from schemas.events import TOKEN_CHARACTERS, Token
from schemas.field_types import (
    BLANK,
    KEY_SENDER,
    MAX_SAFE_INTEGER,
    TEXT_CHARACTERS,
    USER_ID_CHARACTERS,
    Binary,
    Cursor,
    Flag,
    JsonData,
    Label,
    ListOf,
    PatternText,
    PersonId,
    Text,
    UserId,
    WholeNumber,
    Word,
)
from schemas.moderation import REASON_CHARACTERS as REPORT_CHARACTERS
from schemas.moderation import Details, Reason
from schemas.names import (
    NAME_CHARACTERS,
    PICTURE_CHARACTERS,
    PICTURE_PATTERN,
    DisplayName,
    Picture,
)
from schemas.people import Line
from schemas.room_state import ANY_NUMBER

Json = dict[str, Any]

# A field's own schema of JSON; some need those of the schemas in them.
Property = Callable[[fields.Field[Any]], Json]

_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f"
# Those of people's texts: a line may end, and be indented.
_TEXT_CONTROLS: Final = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"
_TURNING: Final = r"\u2028-\u202e\u2066-\u2069"


def _visible(refused: str, first: str = "") -> str:
    """Return a pattern: something visible, nothing refused; ``first`` not in front."""
    blank = "".join(
        sign if sign == "-" or ord(sign) > 0xFFFF else f"\\u{ord(sign):04x}"
        for sign in BLANK
    )
    some, seen = f"[^{refused}]", f"[^{refused}{blank}]"
    if not first:
        return f"^{some}*{seen}{some}*$"
    begin = f"[^{refused}{first}]"
    return f"^(?:[^{refused}{blank}{first}]{some}*|{begin}{some}*{seen}{some}*)$"


@singledispatch
def _described(field: fields.Field[Any], _inner: Property) -> Json:
    """Return the schema of a field: ``{}`` for what marshmallow's plugin knows."""
    return {}


@_described.register
def _whole_number(field: WholeNumber, _inner: Property) -> Json:
    return {"type": "integer", "minimum": field.minimum, "maximum": MAX_SAFE_INTEGER}


@_described.register
def _flag(_field: Flag, _inner: Property) -> Json:
    return {"type": "boolean"}


@_described.register
def _pattern_text(field: PatternText, _inner: Property) -> Json:
    return {"type": "string", "pattern": f"^(?:{field.pattern.pattern})$"}


@_described.register
def _word(field: Word, _inner: Property) -> Json:
    return {"type": "string", "enum": list(field.words)}


@_described.register
def _error_code(_field: ErrorCode, _inner: Property) -> Json:
    return {"type": "string", "enum": list(ERROR_CODES)}


@_described.register
def _cursor(_field: Cursor, _inner: Property) -> Json:
    return {"type": "string"}


@_described.register
def _user_id(field: UserId, _inner: Property) -> Json:
    first = rf"\{KEY_SENDER}" if isinstance(field, PersonId) else ""
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": USER_ID_CHARACTERS,
        "pattern": _visible(_CONTROLS + _TURNING, first),
    }


@_described.register
def _label(field: Label, _inner: Property) -> Json:
    return {
        "type": "string",
        "minLength": 1,
        "maxLength": field.longest,
        "pattern": _visible(_CONTROLS + _TURNING),
    }


@_described.register
def _line(field: Line, _inner: Property) -> Json:
    # It is looked at without the spaces around it.
    pattern = _visible(_CONTROLS + _TURNING)
    if field.may_be_empty:
        pattern += "|^$"
    return {"type": "string", "maxLength": field.longest, "pattern": pattern}


@_described.register
def _text(field: Text, _inner: Property) -> Json:
    longest = REPORT_CHARACTERS if isinstance(field, Reason) else TEXT_CHARACTERS
    pattern = _visible(_TEXT_CONTROLS)
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": pattern}


@_described.register
def _sentence(_field: Sentence, _inner: Property) -> Json:
    return {"type": "string", "minLength": 1}


@_described.register
def _token(_field: Token, _inner: Property) -> Json:
    pattern = rf"^[\u0020-\u007e]{{1,{TOKEN_CHARACTERS}}}$"
    return {"type": "string", "pattern": pattern}


@_described.register
def _binary(_field: Binary, _inner: Property) -> Json:
    return {"description": "Bytes, sent as a Socket.IO attachment."}


@_described.register
def _object(_field: JsonData | Details, _inner: Property) -> Json:
    return {"type": "object"}


@_described.register
def _display_name(_field: DisplayName, _inner: Property) -> Json:
    pattern = _visible(_CONTROLS + _TURNING)
    return {"type": "string", "maxLength": NAME_CHARACTERS, "pattern": pattern}


@_described.register
def _picture(_field: Picture, _inner: Property) -> Json:
    pattern = f"^(?:{PICTURE_PATTERN.pattern})$"
    return {"type": "string", "maxLength": PICTURE_CHARACTERS, "pattern": pattern}


@_described.register
def _list_of(field: ListOf, inner: Property) -> Json:
    bound = {} if field.longest == ANY_NUMBER else {"maxItems": field.longest}
    unique = {} if field.key is None else {"uniqueItems": True}
    return {"type": "array", "items": inner(field.item), **bound, **unique}


@_described.register
def _map_of(field: MapOf, inner: Property) -> Json:
    return {
        "type": "object",
        "propertyNames": inner(field.key),
        "additionalProperties": inner(field.item),
    }


class Components:
    """Schemas by name, with all that they refer to.

    Args:
        about: Title of the document that they are a part of.
    """

    def __init__(self, about: str) -> None:
        plugin = MarshmallowPlugin(schema_name_resolver=_name_of)
        self.spec = APISpec(about, "1", "3.1.0", plugins=[plugin])
        converter = plugin.converter
        if converter is None:
            raise TypeError("the plugin has no converter")
        self._converter = converter

        def describe(_self: object, field: fields.Field[Any], ret: Json) -> Json:
            return self._own(field)

        converter.add_attribute_function(describe)
        # What follows makes it nullable where null may be.
        functions = converter.attribute_functions
        functions.insert(0, functions.pop())

    @property
    def schemas(self) -> Mapping[str, Json]:
        """All of them, by name."""
        found: Mapping[str, Json] = self.spec.components.schemas
        return found

    def add(self, name: str, schema: Schema) -> Json:
        """Add a schema, and return the reference to it."""
        if name not in self.spec.components.schemas:
            if name == _name_of(schema):
                # Others that have it in them refer to it.
                self.spec.components.schema(name, schema=schema)
            self.spec.components.schemas[name] = self.describe(schema)
        return _reference(name)

    def describe(self, schema: Schema) -> Json:
        """Return a schema itself; those in it are added."""
        made: Json = self._converter.schema2jsonschema(schema)
        return made | getattr(schema, "json_rules", {})

    def of_field(self, field: fields.Field[Any]) -> Json:
        """Return the schema of a field."""
        found: Json = self._converter.field2property(field)
        return found

    def _own(self, field: fields.Field[Any]) -> Json:
        if isinstance(field, ImageField | UploadField):
            return self.add(_name_of(field.schema), field.schema)
        if isinstance(field, EventArray):
            return {"oneOf": [self._event(*each) for each in field.log_events.items()]}
        if isinstance(field, SyncItem):
            return {"anyOf": [self.add(_name_of(one), one) for one in field.schemas]}
        described = _described(field, self.of_field)
        if isinstance(field, UserId | Text):
            # Long, and everywhere.
            name = type(field).__name__
            self.spec.components.schemas.setdefault(name, described)
            return _reference(name)
        return described

    def _event(self, name: str, payload: Schema) -> Json:
        parts = [{"const": name}, self.add(_name_of(payload), payload)]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": 2}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _name_of(schema: Schema | type[Schema]) -> str:
    return (schema if isinstance(schema, type) else type(schema)).__name__
