"""Payloads and answers about invites, reports, the audit list and blocking."""

import re
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, fields, validates_schema

from schemas.acks import Done
from schemas.base import StrictField, StrictSchema
from schemas.broadcasts import Message, Sentence
from schemas.events import Room
from schemas.field_types import (
    Flag,
    InviteToken,
    ListOf,
    PatternText,
    Text,
    UserId,
    WholeNumber,
)
from schemas.room_state import ANY_NUMBER

# An invite ends after a week unless its maker says otherwise, in 30 days at the latest.
INVITE_SECONDS: Final = 7 * 24 * 3_600
INVITE_MOST_SECONDS: Final = 30 * 24 * 3_600

# The least life of an invite: time to open it.
INVITE_LEAST_SECONDS: Final = 60

# The longest page of ``reports`` and ``audit``; a higher ``limit`` is held to it.
NOTES_PAGE: Final = 50

# Code points of a report's reason: a paragraph.
REASON_CHARACTERS: Final = 500


class InviteCreate(Room):
    """``invite_create``: how long it lasts, and how often it may be used."""

    expiresSeconds = WholeNumber(  # noqa: N815 - the wire's name
        minimum=INVITE_LEAST_SECONDS,
        held_to=INVITE_MOST_SECONDS,
        required=False,
        load_default=INVITE_SECONDS,
    )
    uses = WholeNumber(minimum=1, required=False)


class InviteRevoke(Room):
    """``invite_revoke``: which one."""

    invite = InviteToken()


class Reason(Text):
    """Why somebody reports: a text of at most :data:`REASON_CHARACTERS`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **options: Any
    ) -> str:
        text = super()._deserialize(value, attr, data, **options)
        if len(text) > REASON_CHARACTERS:
            raise ValidationError(f"Must be {REASON_CHARACTERS} characters or fewer.")
        return text


class Report(Room):
    """``report``: a message, or a user."""

    message = WholeNumber(minimum=1, required=False)
    user = UserId(required=False)
    reason = Reason()

    json_rules: ClassVar[dict[str, Any]] = {
        "oneOf": [{"required": ["message"]}, {"required": ["user"]}]
    }

    @validates_schema(skip_on_field_errors=True)
    def _one_thing(self, data: dict[str, Any], **_options: Any) -> None:
        if ("message" in data) == ("user" in data):
            raise ValidationError("Name a message or a user, one of them.", "message")


class NoteId(PatternText):
    """The id of a report, or of an act of the audit list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            # Nothing is before the id 0-0, and Redis refuses to look there.
            re.compile("[1-9][0-9]{0,15}-[0-9]{1,10}"),
            "Must be an id of a page.",
            **options,
        )


class Notes(Room):
    """``reports``, ``audit``: a page, the newest first."""

    before = NoteId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=NOTES_PAGE, required=False, load_default=NOTES_PAGE
    )


class Block(StrictSchema):
    """``block``: whom, and whether from now on or no longer."""

    user = UserId()
    on = Flag()


class Blocks(StrictSchema):
    """``blocks``: nothing is asked with it."""


class InviteEntry(StrictSchema):
    """An invite of ``invites``; ``usesLeft`` is null for any number."""

    invite = InviteToken()
    expiresAt = WholeNumber()  # noqa: N815 - the wire's name
    usesLeft = WholeNumber(minimum=1, allow_none=True)  # noqa: N815 - the wire's name
    at = WholeNumber()
    by = UserId()


class InviteAck(Done, InviteEntry):
    """``invite_create``: the invite."""


class InvitesAck(Done):
    """``invites``: those that are good now, by their ends."""

    invites = ListOf(fields.Nested(InviteEntry), longest=ANY_NUMBER)


class ReportEntry(StrictSchema):
    """A report; of a message with its words as they were then."""

    id = NoteId()
    at = WholeNumber()
    by = UserId()
    reason = Reason()
    user = UserId()
    message = WholeNumber(minimum=1, required=False)
    copy = fields.Nested(Message, required=False)


class ReportsAck(Done):
    """``reports``: a page, the newest first."""

    reports = ListOf(fields.Nested(ReportEntry), longest=NOTES_PAGE)
    more = Flag()


class Details(StrictField):
    """What else there is to say of an act: an object, by the act's kind."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        return value


class Act(StrictSchema):
    """What somebody did in a room."""

    id = NoteId()
    act = Sentence()
    by = UserId()
    at = WholeNumber()
    details = Details()


class AuditAck(Done):
    """``audit``: a page, the newest first."""

    acts = ListOf(fields.Nested(Act), longest=NOTES_PAGE)
    more = Flag()


class BlocksAck(Done):
    """``blocks``: whom the user blocks, sorted."""

    users = ListOf(UserId(), longest=ANY_NUMBER, key=str)
