"""Pure: what the hook answers, ``{"action", "text"?, "data"?, "reason"?}``."""

from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson
from marshmallow import ValidationError

from schemas.events import Send

# What is passed on of a reason: a sentence or two for the person who wrote.
REASON_CHARACTERS: Final = 200

# By the same fields as what people send.
_FIELDS: Final = Send().load_fields


class Kind(StrEnum):
    """What a message is looked at for; the ``type`` of what the hook gets."""

    SEND = "message.before_send"
    EDIT = "message.before_edit"


# What may be replaced of it, as far as it can be sent.
_REPLACEABLE: Final = {Kind.SEND: ("text", "data"), Kind.EDIT: ("text",)}


class Answer(NamedTuple):
    """What the hook decided.

    Attributes:
        action: ``allow``, ``deny`` or ``replace``.
        changes: New values by their name in the payload, valid by the schema.
        reason: Why it was denied, one printable line; empty for no reason given.
    """

    action: str
    changes: dict[str, Any]
    reason: str


def parse_answer(body: bytes, kind: Kind) -> Answer:
    """Return what the hook answered; fields that are not known are left out.

    Raises:
        ValueError: It is no answer, or what is to replace the message is not valid.
    """
    document = orjson.loads(body)
    action = document.get("action") if isinstance(document, dict) else None
    if action not in ("allow", "deny", "replace"):
        raise ValueError("no action")
    changes: dict[str, Any] = {}
    if action == "replace":
        for name in _REPLACEABLE[kind]:
            if name in document and name in _FIELDS:
                try:
                    changes[name] = _FIELDS[name].deserialize(document[name])
                except ValidationError:
                    raise ValueError(f"{name} is not valid") from None
        if not changes:
            raise ValueError("nothing to replace")
    reason = document.get("reason")
    text = reason if isinstance(reason, str) else ""
    line = "".join(filter(str.isprintable, text[:REASON_CHARACTERS]))
    return Answer(action, changes, line.strip())
