"""Answers to the events that clients send.

As with the broadcasts, the server builds them from its own values and does not load
them through these schemas; the tests do, for every ack a client receives.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields

from schemas.base import StrictField, StrictSchema
from schemas.broadcasts import (
    LOG_EVENTS,
    PERSONAL_EVENTS,
    MapOf,
    Message,
    Mine,
    Sentence,
)
from schemas.events import (
    HISTORY_MESSAGES,
    LIST_PAGE,
    READS_MESSAGES,
    ROOMS_PAGE,
    SYNC_ROOMS,
    USERS,
)
from schemas.field_types import (
    CURSOR_PATTERN,
    Flag,
    Identifier,
    JsonData,
    ListCursor,
    ListOf,
    PatternText,
    RoomId,
    Uid,
    UserId,
    WholeNumber,
)
from schemas.names import DisplayName, Picture
from schemas.people import (
    MEMBERS_PAGE,
    ROOM_DATA_BYTES,
    USERS_AT_ONCE,
    Kind,
    Role,
    SeenHistory,
    Writers,
)
from schemas.room_state import ANY_NUMBER, RoomState

# Each code and whether it is temporary: may the same request succeed later?
ERROR_CODES: Final[Mapping[str, bool]] = {
    "invalid": False,
    "unauthorized": False,
    "forbidden": False,
    "not_found": False,
    "conflict": False,
    "not_attending": False,
    "too_large": False,
    "rate_limited": True,
    "unavailable": True,
    "unknown": True,
    "unknown_event": False,
    "internal": False,
}


class EventArray(StrictField):
    """An event of a room's log as it is broadcast: ``["message", {…}]``.

    Args:
        log_events: The schema of each event that a log holds, by its name.
    """

    def __init__(self, log_events: Mapping[str, Schema], **options: Any) -> None:
        super().__init__(**options)
        self.log_events = log_events

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> list[Any]:
        if not isinstance(value, list) or len(value) != 2:
            raise ValidationError("Must be a list of a name and a payload.")
        name, payload = value
        schema = self.log_events.get(name) if isinstance(name, str) else None
        if schema is None:
            raise ValidationError("Must be the name of an event of the log.")
        return [name, schema.load(payload)]


class ErrorCode(StrictField):
    """One of :data:`ERROR_CODES`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        if text not in ERROR_CODES:
            raise ValidationError("Must be a known code.")
        return text


class Error(StrictSchema):
    """What went wrong, for the program (``code``) and the person (``message``)."""

    code = ErrorCode()
    message = Sentence()
    temporary = Flag()
    fields = MapOf(  # type: ignore[assignment] # the wire's name; unused by marshmallow
        Sentence(), ListOf(Sentence(), longest=100), required=False
    )
    retryAfter = WholeNumber(required=False)  # noqa: N815 - the wire's name
    reason = Identifier(required=False)
    until = WholeNumber(required=False)


class Done(StrictSchema):
    """It was carried out; there is nothing else to say."""

    ok = Flag()


class ErrorAck(Done):
    """It was not carried out; ``ok`` is false."""

    error = fields.Nested(Error, required=True)


class JoinAck(Done, RoomState):
    """``join``: where the room stands, and what was missed."""

    room = RoomId()
    cursor = PatternText(CURSOR_PATTERN, "Must be <offset>:<uid>.")
    recovered = Flag()
    more = Flag(required=False)
    events = ListOf(EventArray(LOG_EVENTS), longest=ANY_NUMBER)
    kind = Kind()
    name = Sentence(allow_none=True)
    topic = Sentence(allow_none=True)
    data = JsonData(longest=ROOM_DATA_BYTES, allow_none=True)
    role = Role()
    since = WholeNumber(minimum=1)
    history = SeenHistory()
    writers = Writers()
    invite = Writers()
    slow = WholeNumber()
    rv = WholeNumber()
    mutedUntil = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    lastMessage = WholeNumber()  # noqa: N815 - the wire's name
    lastReadMessage = WholeNumber()  # noqa: N815 - the wire's name
    unread = WholeNumber()
    unreadMentions = WholeNumber()  # noqa: N815 - the wire's name
    pins = ListOf(WholeNumber(minimum=1), longest=ANY_NUMBER)


class SyncDenied(ErrorAck):
    """A room of ``sync`` that could not be joined."""

    room = RoomId()


class SyncItem(StrictField):
    """A room of ``sync``: joined or denied."""

    schemas = (JoinAck(), SyncDenied())

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> dict[str, Any]:
        joined = isinstance(value, dict) and value.get("ok") is True
        schema = self.schemas[0 if joined else 1]
        loaded: dict[str, Any] = schema.load(value)
        return loaded


class SyncAck(Done):
    """``sync``: one answer a room, in the order asked."""

    rooms = ListOf(SyncItem(), longest=SYNC_ROOMS)


class SendAck(Done):
    """``send``: stored and published, at this place."""

    message = WholeNumber(minimum=1)
    offset = WholeNumber(minimum=1)
    uid = Uid()
    at = WholeNumber(minimum=1)
    duplicate = Flag()
    durability = PatternText(
        re.compile("memory|fsync|replicas:[1-9][0-9]?"), "Must be a level."
    )


class ChangeAck(Done):
    """``delete``, ``pin``: the change's place; a duplicate changed nothing."""

    offset = WholeNumber(minimum=1, required=False)
    uid = Uid(required=False)
    at = WholeNumber(minimum=1, required=False)
    duplicate = Flag()


class EditAck(ChangeAck):
    """``edit``: stored and published, at this place."""

    message = WholeNumber(minimum=1)


class ReactAck(Done):
    """``react``: how many have this reaction now."""

    count = WholeNumber()
    duplicate = Flag()


class MarkReadAck(Done):
    """``mark_read``: the mark that now holds, and what is left."""

    lastReadMessage = WholeNumber()  # noqa: N815 - the wire's name
    unread = WholeNumber()


class HistoryAck(Done):
    """``history``: a page, ascending by number."""

    messages = ListOf(fields.Nested(Message), longest=HISTORY_MESSAGES)
    more = Flag()
    firstAvailable = WholeNumber()  # noqa: N815 - the wire's name
    moreAfter = Flag(required=False)  # noqa: N815 - the wire's name
    around = WholeNumber(required=False)


class MediaAck(Done):
    """``media``: a page, descending by number."""

    messages = ListOf(fields.Nested(Message), longest=HISTORY_MESSAGES)
    more = Flag()


class ReadsAck(Done):
    """``reads``: how many members have not read each message, in the order asked."""

    counts = ListOf(WholeNumber(), longest=READS_MESSAGES)


class Profile(StrictSchema):
    """A member, and what they are called and shown by."""

    user = UserId()
    name = DisplayName(required=False)
    picture = Picture(required=False)


class UsersAck(Done):
    """``users``: those of the asked who are members, in the order asked."""

    users = ListOf(fields.Nested(Profile), longest=USERS)


class RoomEntry(Mine):
    """A room of ``rooms``; ``newest`` is null while it is empty."""

    room = RoomId()
    name = Sentence(allow_none=True)
    kind = Kind()
    role = Role()
    lastMessage = WholeNumber()  # noqa: N815 - the wire's name
    lastReadMessage = WholeNumber()  # noqa: N815 - the wire's name
    unread = WholeNumber()
    unreadMentions = WholeNumber()  # noqa: N815 - the wire's name
    newest = fields.Nested(Message, required=True, allow_none=True)
    at = WholeNumber(required=False)


class RoomsAck(Done):
    """``rooms``: a page of the rooms that the user is a member of."""

    rooms = ListOf(fields.Nested(RoomEntry), longest=ROOMS_PAGE)
    more = Flag()
    next = ListCursor(required=False)


class MeAck(Done):
    """``me``: what was missed of one's own log, and a page of rooms if asked for."""

    cursor = PatternText(CURSOR_PATTERN, "Must be <offset>:<uid>.")
    recovered = Flag()
    events = ListOf(EventArray(PERSONAL_EVENTS), longest=ANY_NUMBER)
    unwatched = WholeNumber(minimum=1, required=False)
    rooms = ListOf(fields.Nested(RoomEntry), longest=LIST_PAGE, required=False)
    more = Flag(required=False)
    next = ListCursor(required=False)


class MineAck(Done, Mine):
    """``room_mine``, ``mark_unread``: the user's settings of the room, all of them."""

    room = RoomId()


class RoomCreateAck(Done):
    """``room_create``: the room's id; ``duplicate``: it was made before."""

    room = RoomId()
    duplicate = Flag()


class Member(StrictSchema):
    """A line of ``members``; ``since``: when they came, in Unix ms."""

    user = UserId()
    role = Role()
    since = WholeNumber()
    mutedUntil = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
    online = Flag()
    name = DisplayName(required=False)
    picture = Picture(required=False)


class MembersAck(Done):
    """``members``: a page, ascending by user id."""

    members = ListOf(fields.Nested(Member), longest=MEMBERS_PAGE)
    more = Flag()


class MembersAddAck(Done):
    """``members_add``: those who were no members before."""

    added = ListOf(UserId(), longest=USERS_AT_ONCE)


class MemberRemoveAck(Done):
    """``member_remove``: false for who was no member, and is banned now."""

    removed = Flag()


class MemberSetAck(Done):
    """``member_set``: the role and muting that hold now."""

    role = Role()
    mutedUntil = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name


class RefreshAck(Done):
    """``refresh``: when the session now ends, in Unix ms; null: it does not."""

    expiresAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name
