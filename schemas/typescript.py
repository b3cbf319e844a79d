"""The wire protocol as TypeScript types, made from the catalogue.

``python -m schemas.typescript`` prints them; ``make types`` writes them where the
client package has them.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from marshmallow import Schema, fields

from schemas import acks, broadcasts, events, field_types, moderation, names
from schemas.catalog import BROADCASTS, PROTOCOL, REQUESTS

_HEAD: Final = f"""\
/**
 * What client and server say to each other in /chat: version {PROTOCOL} of
 * docs/protocol.md.
 * Made by `make types` from schemas/catalog.py; do not edit.
 */
"""

# Fields that are a type whatever their arguments are.
_PLAIN: Final[Mapping[type, str]] = {
    field_types.WholeNumber: "number",
    field_types.Flag: "boolean",
    field_types.PatternText: "string",
    field_types.UserId: "string",
    field_types.Cursor: "string",
    field_types.Text: "string",
    field_types.Label: "string",
    field_types.JsonData: "Record<string, unknown>",
    field_types.Binary: "Uint8Array | ArrayBuffer | Blob",
    names.DisplayName: "string",
    names.Picture: "string",
    events.Token: "string",
    broadcasts.Sentence: "string",
    moderation.Details: "Record<string, unknown>",
    acks.ErrorCode: " | ".join(f'"{code}"' for code in acks.ERROR_CODES),
}

# What clients send: a broadcast may have the same name.
_PAYLOADS: Final = frozenset(type(each.payload) for each in REQUESTS.values())


class _Types:
    """The interfaces that were needed so far, in the order of their need."""

    def __init__(self) -> None:
        self.interfaces: dict[str, str] = {}
        self._schemas: dict[str, type[Schema]] = {}

    def name_of(self, schema: Schema) -> str:
        """Return the name of a schema's interface, which is written with it.

        Raises:
            ValueError: Two schemas would have the same name.
        """
        kind = type(schema)
        name = kind.__name__
        if kind.__module__ == events.__name__ or kind in _PAYLOADS:
            name += "Payload"
        elif name == "Error":
            name = "ChatError"
        known = self._schemas.setdefault(name, kind)
        if known is not kind:
            raise ValueError(f"{kind} and {known} are both called {name}")
        if name not in self.interfaces:
            # Its place, for what stands in it comes after it.
            self.interfaces[name] = ""
            self.interfaces[name] = self._interface(name, schema)
        return name

    def _interface(self, name: str, schema: Schema) -> str:
        members = [
            f"  {key}{'' if field.required else '?'}: "
            f"{self._member(schema, key, field)};"
            for key, field in schema.fields.items()
        ]
        said = (type(schema).__doc__ or "").splitlines()[0].replace("``", "`")
        body = "\n".join(members)
        return f"/** {said} */\nexport interface {name} {{\n{body}\n}}\n"

    def _member(self, schema: Schema, key: str, field: fields.Field[Any]) -> str:
        if key == "ok":
            return "false" if isinstance(schema, acks.ErrorAck) else "true"
        return self.type_of(field) + (" | null" if field.allow_none else "")

    def type_of(self, field: fields.Field[Any]) -> str:
        """Return the type of a field's values.

        Raises:
            TypeError: It is of a kind that is not known here.
        """
        kind = type(field)
        for known, make in self._composed.items():
            if isinstance(field, known):
                return make(self, field)
        for each in kind.__mro__:
            if each in _PLAIN:
                return _PLAIN[each]
        raise TypeError(f"{kind.__name__} has no TypeScript type")

    def _list(self, field: Any) -> str:
        item = self.type_of(field.item)
        return f"({item})[]" if " " in item else f"{item}[]"

    def _map(self, field: Any) -> str:
        return f"Record<string, {self.type_of(field.item)}>"

    def _event(self, field: Any) -> str:
        pairs = field.log_events.items()
        return " | ".join(f'["{name}", {self.name_of(each)}]' for name, each in pairs)

    _composed: Final[Mapping[type, Callable[["_Types", Any], str]]] = {
        field_types.Word: lambda _self, field: " | ".join(
            f'"{word}"' for word in field.words
        ),
        field_types.ListOf: _list,
        broadcasts.MapOf: _map,
        acks.EventArray: _event,
        acks.SyncItem: lambda self, field: " | ".join(map(self.name_of, field.schemas)),
        broadcasts.ImageField: lambda self, field: self.name_of(field.schema),
        fields.Nested: lambda self, field: self.name_of(field.schema),
    }


def declarations() -> str:
    """Return the text of the declaration file."""
    types = _Types()
    error = types.name_of(acks.ErrorAck())
    requests = "\n".join(
        f"  {each.name}: {{ payload: {types.name_of(each.payload)};"
        f" ack: {types.name_of(each.ack)} | {error} }};"
        for each in REQUESTS.values()
    )
    told = "\n".join(
        f"  {each.name}: {types.name_of(each.payload)};" for each in BROADCASTS.values()
    )
    return "\n".join(
        [
            _HEAD,
            "/** What a client may ask for, by the event's name. */\n"
            f"export interface Requests {{\n{requests}\n}}\n",
            "/** What the server tells, by the event's name. */\n"
            f"export interface Broadcasts {{\n{told}\n}}\n",
            *types.interfaces.values(),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(declarations())
