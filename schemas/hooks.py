"""Endpoints of webhooks: what they are told of, and how one is described."""

import re
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, fields

from schemas.acks import Done
from schemas.base import StrictField, StrictSchema
from schemas.broadcasts import Sentence
from schemas.field_types import Flag, ListOf, PatternText, WholeNumber, Word
from schemas.room_state import ANY_NUMBER

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


# What an endpoint that is made over HTTP may be told of: all of a kind, or everything.
PATTERNS: Final = (
    *TYPES,
    *dict.fromkeys(f"{each.split('.')[0]}.*" for each in TYPES),
    "*",
)

# The longest page of what was given up; a higher ``limit`` is held to it.
DEAD_PAGE: Final = 100

# Events that one request has told again.
REPLAYED: Final = 1_000


class HookId(PatternText):
    """An endpoint's name, for people and in keys."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            re.compile(r"[a-z0-9-]{1,32}"), "Must be 1 to 32 of a-z 0-9 -.", **options
        )


class RoomPattern(PatternText):
    """Rooms by their ids: a pattern with ``*`` and ``?``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            re.compile(r"[A-Za-z0-9_*?-]{1,64}"),
            "Must be 1 to 64 of A-Z a-z 0-9 _ - * ?.",
            **options,
        )


class HookUrl(PatternText):
    """Where an endpoint is, in ASCII: what else there is, is percent-encoded."""

    def __init__(self, **options: Any) -> None:
        # Host and port without what would end them, or name a user.
        place = '[!-"$-.0->A-~]{1,255}'
        super().__init__(
            re.compile(rf"https?://{place}([/?#][!-~]{{0,1700}})?"),
            "Must be an address of https, or of http in a network that is allowed.",
            **options,
        )


class HookSecret(PatternText):
    """What an endpoint's requests are signed with."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            re.compile(
                r"whsec_[A-Za-z0-9+/]{32,86}={0,2}"
                r"|whsk_(?:[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)"
            ),
            "Must be whsec_ and 24 to 64 bytes in base64, or whsk_ and an ed25519 key.",
            **options,
        )


class DeadId(PatternText):
    """The id of an event that was given up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            re.compile("[1-9][0-9]{0,15}-[0-9]{1,10}"),
            "Must be an id of a page.",
            **options,
        )


class EventTypes(StrictField):
    """A pattern of types of events, with ``*``: one that matches some."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        pattern = self._string(value)
        if not any(fnmatchcase(each, pattern) for each in TYPES):
            raise ValidationError(
                f"There is no such type of event; there are {', '.join(TYPES)}, and"
                " patterns of them such as message.*."
            )
        return pattern


class HookEndpoint(StrictSchema):
    """An application that is told of what happens."""

    id = HookId()
    url = PatternText(
        re.compile(rf"(?=.{{1,{URL_CHARACTERS}}}\Z)https?://[^\s/?#@]+([/?#]\S*)?"),
        "Must be an address of https, or of http in a network that is allowed.",
    )
    secrets = ListOf(HookSecret(), longest=SECRETS)
    types = ListOf(
        EventTypes(), longest=len(TYPES), required=False, load_default=DEFAULT_TYPES
    )
    rooms = RoomPattern(required=False, load_default="*")


class Hooks(StrictSchema):
    """``hooks``: nothing is asked with it."""


class Hook(StrictSchema):
    """``hook`` and what is done to one: which."""

    hook = HookId()


class HookCreate(StrictSchema):
    """``hook_create``: where it is, and what it is told of; all but ``push.due``."""

    id = HookId(required=False)
    url = HookUrl()
    types = ListOf(Word(*PATTERNS), longest=len(TYPES), key=str, required=False)
    rooms = RoomPattern(required=False)


class HookSet(Hook):
    """``hook_set``: what changes; one that is not ``enabled`` is told nothing."""

    url = HookUrl(required=False)
    types = ListOf(Word(*PATTERNS), longest=len(TYPES), key=str, required=False)
    rooms = RoomPattern(required=False)
    enabled = Flag(required=False)

    json_rules: ClassVar[dict[str, Any]] = {"minProperties": 1}


class HookSecretAdd(Hook):
    """``hook_secret``: one more to sign by; without it one is made."""

    secret = HookSecret(required=False)


class HookDead(Hook):
    """``hook_dead``: a page of what was given up, the oldest first."""

    after = DeadId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=DEAD_PAGE, required=False, load_default=DEAD_PAGE
    )


class HookReplay(Hook):
    """``hook_replay``: one event of what was given up, or all."""

    id = DeadId(required=False)


class HookEntry(StrictSchema):
    """An endpoint, and how it fares.

    It is told nothing if it is ``disabled`` (``paused``, or why); it has not answered
    since ``failingSince``, for the reason ``lastError``.
    """

    id = HookId()
    url = Sentence()
    types = ListOf(Sentence(), longest=ANY_NUMBER)
    rooms = Sentence()
    secrets = WholeNumber(minimum=1)
    publicKeys = ListOf(  # noqa: N815 - the wire's name
        Sentence(), longest=SECRETS
    )
    ofFile = Flag()  # noqa: N815 - the wire's name
    enabled = Flag()
    disabled = Sentence(allow_none=True)
    failingSince = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    lastError = Sentence(allow_none=True)  # noqa: N815 - the wire's name
    waiting = WholeNumber()
    givenUp = WholeNumber()  # noqa: N815 - the wire's name


class HookAck(Done, HookEntry):
    """``hook``, ``hook_set``, ``hook_secret_only``: the endpoint as it is now."""


class HookCreateAck(HookAck):
    """``hook_create``: the endpoint, with its secret, which is shown this once."""

    secret = HookSecret()


class HooksAck(Done):
    """``hooks``: all of them, by their ids."""

    hooks = ListOf(fields.Nested(HookEntry), longest=ANY_NUMBER)


class HookSecretAck(Done):
    """``hook_secret``: the secret, which is shown this once; how many there are."""

    secret = HookSecret()
    secrets = WholeNumber(minimum=1)


class HookTestAck(Done):
    """``hook_test``: the ``webhook-id`` of what it is sent."""

    event = Sentence()


class DeadEntry(StrictSchema):
    """An event that was given up, and why; ``event`` is its ``webhook-id``."""

    id = DeadId()
    event = Sentence()
    type = Sentence()
    room = Sentence(allow_none=True)
    why = Sentence()
    tries = WholeNumber()


class HookDeadAck(Done):
    """``hook_dead``: the page; it goes on after ``next``."""

    events = ListOf(fields.Nested(DeadEntry), longest=DEAD_PAGE)
    more = Flag()
    next = DeadId(required=False)


class HookReplayAck(Done):
    """``hook_replay``: how many are told again; ``more``: ask again for the others."""

    replayed = WholeNumber()
    more = Flag()
