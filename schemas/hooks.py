"""Endpoints of webhooks: what they are told of, and how one is described."""

import re
from fnmatch import fnmatchcase
from typing import Any, Final

from marshmallow import ValidationError

from schemas.base import StrictField, StrictSchema
from schemas.field_types import ListOf, PatternText

# What asks for phones to be rung.
PUSH_TYPE: Final = "push.due"

# What an endpoint may be told of.
TYPES: Final = (
    "message.created",
    "message.edited",
    "message.deleted",
    "reaction.set",
    "pin.set",
    "member.joined",
    "member.left",
    "member.changed",
    "room.created",
    "room.changed",
    "room.deleted",
    "report.created",
    PUSH_TYPE,
)

# What it is told of where nothing is said.
DEFAULT_TYPES: Final = tuple(each for each in TYPES if each != PUSH_TYPE)

# What one is sent to try it out, whatever it is told of.
TEST_TYPE: Final = "hook.test"

URL_CHARACTERS: Final = 2_000

# Two that are good at a time are what a change of secrets needs.
SECRETS: Final = 3


class EventTypes(StrictField):
    """A pattern of types of events, with ``*``: one that matches some."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        pattern = self._string(value)
        if not any(fnmatchcase(each, pattern) for each in TYPES):
            raise ValidationError("There is no such type of event.")
        return pattern


class HookEndpoint(StrictSchema):
    """An application that is told of what happens."""

    id = PatternText(re.compile(r"[a-z0-9-]{1,32}"), "Must be 1 to 32 of a-z 0-9 -.")
    url = PatternText(
        re.compile(rf"(?=.{{1,{URL_CHARACTERS}}}\Z)https?://[^\s/?#@]+([/?#]\S*)?"),
        "Must be an address of https, or of http in a network that is allowed.",
    )
    secrets = ListOf(
        PatternText(
            re.compile(r"whsec_[A-Za-z0-9+/]{32,86}={0,2}"),
            "Must be whsec_ and 24 to 64 bytes in base64.",
        ),
        longest=SECRETS,
    )
    types = ListOf(
        EventTypes(), longest=len(TYPES), required=False, load_default=DEFAULT_TYPES
    )
    rooms = PatternText(
        re.compile(r"[A-Za-z0-9_*?-]{1,64}"),
        "Must be 1 to 64 of A-Z a-z 0-9 _ - * ?.",
        required=False,
        load_default="*",
    )
