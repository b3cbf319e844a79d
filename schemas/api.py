"""Requests that only the HTTP API has: what a socket is told without asking.

Payloads and answers of them, in the same form as :mod:`schemas.catalog`.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from marshmallow import fields, validates_schema

from schemas import hooks
from schemas.acks import Done, RoomsAck, SendAck
from schemas.base import StrictField, StrictSchema
from schemas.broadcasts import Message, Sentence
from schemas.catalog import Access, Request
from schemas.events import (
    DATA_BYTES,
    IMAGES,
    MENTIONS,
    OfMessage,
    Room,
    Rooms,
    require_match,
)
from schemas.field_types import (
    ClientId,
    Flag,
    JsonData,
    ListOf,
    PatternText,
    PersonId,
    RoomId,
    Text,
    UserId,
    WholeNumber,
    Word,
)
from schemas.people import Kind, SeenHistory, Writers
from schemas.room_state import ANY_NUMBER

# The longest page of ``chats``; a higher ``limit`` is held to it.
CHATS_PAGE: Final = 100

UPLOAD_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{22}")


JOB_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{22}")

# The kind of jobs that make something.
EXPORT: Final = "export"


class Nothing(StrictSchema):
    """Nothing is asked with it."""


class Upload(StrictSchema):
    """An image that was uploaded before."""

    upload = PatternText(UPLOAD_PATTERN, "Must be the id of an upload.")


class UploadField(StrictField):
    """An ``Upload`` as a field."""

    schema = Upload()

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        loaded: str = self.schema.load(value)["upload"]
        return loaded


class SendMessage(Room):
    """``send`` over HTTP: a text, images, or what the system says."""

    clientId = ClientId()  # noqa: N815 - the wire's name
    type = Word("text", "image", "system", required=False, load_default="text")
    text = Text(required=False)
    image = UploadField(required=False)
    images = ListOf(UploadField(), longest=IMAGES, key=str, required=False)
    replyTo = WholeNumber(minimum=1, required=False)  # noqa: N815 - the wire's name
    mentions = ListOf(UserId(), longest=MENTIONS, key=str, required=False)
    mentionAll = Flag(required=False)  # noqa: N815 - the wire's name
    silent = Flag(required=False)
    data = JsonData(longest=DATA_BYTES, required=False)

    json_rules: ClassVar[dict[str, Any]] = {
        "oneOf": [
            {
                "properties": {"type": {"enum": ["text", "system"]}},
                "required": ["text"],
                "not": {"anyOf": [{"required": ["image"]}, {"required": ["images"]}]},
            },
            {
                "properties": {"type": {"const": "image"}},
                "required": ["type", "image"],
                "not": {"required": ["images"]},
            },
            {
                "properties": {"type": {"const": "image"}, "images": {"minItems": 1}},
                "required": ["type", "images"],
                "not": {"required": ["image"]},
            },
        ]
    }

    @validates_schema(skip_on_field_errors=True)
    def _match_type(self, data: dict[str, Any], **_options: Any) -> None:
        require_match(data, is_image=data["type"] == "image")


class KeyEntry(StrictSchema):
    """What the API key that was shown may do, and where."""

    id = Sentence()
    name = Sentence()
    scopes = ListOf(Sentence(), longest=ANY_NUMBER)
    rooms = Sentence()


class WhoAck(Done):
    """``who``: who asks; ``key`` is null for who shows a token."""

    user = UserId()
    name = Sentence(allow_none=True)
    key = fields.Nested(KeyEntry, required=True, allow_none=True)


class RoomInfoAck(Done):
    """``room``: what a room is set to, and how far it is.

    ``createdAt`` and ``createdBy`` are null where the room was made by joining it.
    """

    room = RoomId()
    kind = Kind()
    name = Sentence(allow_none=True)
    topic = Sentence(allow_none=True)
    data = fields.Raw(required=True, allow_none=True)
    history = SeenHistory()
    writers = Writers()
    invite = Writers()
    slow = WholeNumber()
    createdAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    createdBy = UserId(allow_none=True)  # noqa: N815 - the wire's name
    memberCount = WholeNumber()  # noqa: N815 - the wire's name
    onlineCount = WholeNumber()  # noqa: N815 - the wire's name
    lastMessage = WholeNumber()  # noqa: N815 - the wire's name


class MessageAck(Done, Message):
    """``message``: a message as it is by now."""


class Chats(StrictSchema):
    """``chats``: a page of all rooms, in the order of their ids."""

    after = RoomId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=CHATS_PAGE, required=False, load_default=CHATS_PAGE
    )
    kind = Kind(required=False)


class ChatEntry(StrictSchema):
    """A room of ``chats``; ``at`` is the time of its last message, if it has one."""

    room = RoomId()
    kind = Kind()
    name = Sentence(allow_none=True)
    topic = Sentence(allow_none=True)
    createdAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    createdBy = UserId(allow_none=True)  # noqa: N815 - the wire's name
    memberCount = WholeNumber()  # noqa: N815 - the wire's name
    lastMessage = WholeNumber()  # noqa: N815 - the wire's name
    at = WholeNumber(allow_none=True)


class ChatsAck(Done):
    """``chats``: the page; it goes on after ``next``, and may be short before that."""

    rooms = ListOf(fields.Nested(ChatEntry), longest=CHATS_PAGE)
    more = Flag()
    next = RoomId(required=False)


class OfUser(StrictSchema):
    """A user, by their id."""

    user = PersonId()


class RoomsOfUser(OfUser, Rooms):
    """``user_rooms``: a page of a user's rooms, in the order of their ids."""


class Job(StrictSchema):
    """``job`` and what is done to one: which."""

    job = PatternText(JOB_PATTERN, "Must be the id of a job.")


class JobAck(Done):
    """A job: what was looked at and found so far, or taken away.

    ``error`` says why it failed: ``deadline``, ``too_large``, ``internal``.
    """

    job = PatternText(JOB_PATTERN, "Must be the id of a job.")
    kind = Word(EXPORT, "erase")
    user = UserId()
    by = UserId()
    status = Word("waiting", "running", "done", "failed")
    rooms = WholeNumber()
    memberships = WholeNumber()
    messages = WholeNumber()
    reactions = WholeNumber()
    resultBytes = WholeNumber()  # noqa: N815 - the wire's name
    error = Sentence(allow_none=True)
    createdAt = WholeNumber()  # noqa: N815 - the wire's name
    endedAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    expiresAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name


class RevokeAck(Done):
    """``user_revoke``: tokens with an ``iat`` before this are refused, Unix ms."""

    revokedBefore = WholeNumber()  # noqa: N815 - the wire's name


class PresenceAck(Done):
    """``user_presence``: which rooms a session of the user attends now."""

    online = Flag()
    rooms = ListOf(RoomId(), longest=ANY_NUMBER)


class UploadAck(Done):
    """``upload``: the id to send it by, until this time in Unix ms."""

    upload = PatternText(UPLOAD_PATTERN, "Must be the id of an upload.")
    expiresAt = WholeNumber()  # noqa: N815 - the wire's name
    width = WholeNumber(minimum=1)
    height = WholeNumber(minimum=1)
    size = WholeNumber(minimum=1)


API_REQUESTS: Final[Mapping[str, Request]] = MappingProxyType(
    {
        each.name: each
        for each in (
            Request("send", SendMessage(), SendAck(), Access.ATTENDING),
            Request("who", Nothing(), WhoAck()),
            Request("chats", Chats(), ChatsAck()),
            Request("room", Room(), RoomInfoAck(), Access.MEMBER),
            Request("message", OfMessage(), MessageAck(), Access.MEMBER),
            Request("upload", Nothing(), UploadAck()),
            Request("hooks", hooks.Hooks(), hooks.HooksAck()),
            Request("hook_create", hooks.HookCreate(), hooks.HookCreateAck()),
            Request("hook", hooks.Hook(), hooks.HookAck()),
            Request("hook_set", hooks.HookSet(), hooks.HookAck()),
            Request("hook_delete", hooks.Hook(), Done()),
            Request("hook_secret", hooks.HookSecretAdd(), hooks.HookSecretAck()),
            Request("hook_secret_only", hooks.Hook(), hooks.HookAck()),
            Request("hook_test", hooks.Hook(), hooks.HookTestAck()),
            Request("hook_dead", hooks.HookDead(), hooks.HookDeadAck()),
            Request("hook_replay", hooks.HookReplay(), hooks.HookReplayAck()),
            Request("user_rooms", RoomsOfUser(), RoomsAck()),
            Request("user_presence", OfUser(), PresenceAck()),
            Request("user_revoke", OfUser(), RevokeAck()),
            Request("user_export", OfUser(), JobAck()),
            Request("user_erase", OfUser(), JobAck()),
            Request("job", Job(), JobAck()),
            Request("job_result", Job(), Done()),
            Request("job_delete", Job(), Done()),
        )
    }
)
