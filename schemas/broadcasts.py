"""Payloads of the events that the server sends.

They are built in the stores and in Lua; the schemas say what clients may rely on, and
the tests hold every event that a client receives against them.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validates_schema

from schemas.base import StrictField, StrictSchema
from schemas.events import (
    DATA_BYTES,
    IMAGES,
    MENTIONS,
    REACTION_CHARACTERS,
    REASON_CHARACTERS,
    Push,
)
from schemas.field_types import (
    ClientId,
    Flag,
    Identifier,
    JsonData,
    Label,
    ListOf,
    PatternText,
    RoomId,
    Text,
    Uid,
    UserId,
    WholeNumber,
    Word,
)
from schemas.names import DisplayName, Picture
from schemas.people import ROOM_DATA_BYTES, Kind, Role, SeenHistory, Writers

SHA256_HEX: Final = r"[0-9a-f]{64}"
IMAGE_URL_PATTERN: Final = re.compile(
    rf"(/[\w.~-]+)*/images/{SHA256_HEX}\.(png|jpg|webp|gif)\?expires=\d+&signature=[\w-]+"
)


# Rooms of one ``rooms_changed``.
CHANGED_ROOMS: Final = 50

# Thumbnails of an image: one for lists, one for screens.
THUMBNAILS: Final = 2


class Sentence(StrictField):
    """A line of text for the person who reads it."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        if not text:
            raise ValidationError("Must not be empty.")
        return text


class Thumbnail(StrictSchema):
    """A smaller WebP of an image."""

    url = PatternText(IMAGE_URL_PATTERN, "Must be a signed path of this server.")
    width = WholeNumber(minimum=1)
    height = WholeNumber(minimum=1)


class _ThumbnailItem(fields.Nested):
    """A ``Thumbnail`` inside a list."""


class Image(StrictSchema):
    """Where an image is and what it is like; each ``url`` is signed and expires."""

    url = PatternText(IMAGE_URL_PATTERN, "Must be a signed path of this server.")
    mime = PatternText(re.compile(r"image/(png|jpeg|webp|gif)"), "Must be an image.")
    size = WholeNumber(minimum=1)
    width = WholeNumber(minimum=1)
    height = WholeNumber(minimum=1)
    thumbhash = PatternText(
        re.compile(r"[A-Za-z0-9+/]{6,64}={0,2}"), "Must be base64.", required=False
    )
    thumbnails = ListOf(_ThumbnailItem(Thumbnail), longest=THUMBNAILS, required=False)
    animated = Flag(required=False)


class ImageField(StrictField):
    """An ``Image`` as a field."""

    schema = Image()

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> dict[str, Any]:
        loaded: dict[str, Any] = self.schema.load(value)
        return loaded


class LogEvent(StrictSchema):
    """What every entry of a room's log has: its position and its lineage."""

    offset = WholeNumber(minimum=1)
    uid = Uid()
    room = RoomId()


class MapOf(StrictField):
    """An object used as a map.

    Args:
        key: The field of its keys.
        item: The field of its values.
    """

    def __init__(
        self, key: fields.Field[Any], item: fields.Field[Any], **options: Any
    ) -> None:
        super().__init__(**options)
        self.key = key
        self.item = item

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        return {
            self.key.deserialize(name): self.item.deserialize(one)
            for name, one in value.items()
        }


class Deleted(StrictSchema):
    """Who deleted a message, why and when."""

    by = UserId(required=False)
    reason = Label(longest=REASON_CHARACTERS, required=False)
    at = WholeNumber(minimum=1)


class Counts(MapOf):
    """How many have reacted, by what they react with."""

    def __init__(self, **options: Any) -> None:
        key = Label(longest=REACTION_CHARACTERS)
        super().__init__(key, WholeNumber(minimum=1), **options)


# What is gone of a deleted message.
_CONTENT: Final = frozenset({"text", "image", "images", "mentions", "reactions"})


class Message(LogEvent):
    """``message``: somebody wrote something; in the history as it is by now."""

    message = WholeNumber(minimum=1)
    user = UserId()
    name = DisplayName(required=False)
    clientId = ClientId(required=False)  # noqa: N815 - the wire's name
    type = Word("text", "image", "system", "deleted")
    text = Text(required=False)
    image = ImageField(required=False)
    images = ListOf(ImageField(), longest=IMAGES, required=False)
    replyTo = WholeNumber(minimum=1, required=False)  # noqa: N815 - the wire's name
    mentions = ListOf(UserId(), longest=MENTIONS, required=False)
    mentionAll = Flag(required=False)  # noqa: N815 - the wire's name
    silent = Flag(required=False)
    data = JsonData(longest=DATA_BYTES, required=False)
    at = WholeNumber(minimum=1)
    editedAt = WholeNumber(minimum=1, required=False)  # noqa: N815 - the wire's name
    edits = WholeNumber(minimum=1, required=False)
    reactions = Counts(required=False)
    deleted = fields.Nested(Deleted, required=False)
    rev = WholeNumber(minimum=1, required=False)

    @validates_schema(skip_on_field_errors=True)
    def _match_type(self, data: dict[str, Any], **_options: Any) -> None:
        is_deleted = data["type"] == "deleted"
        if is_deleted and _CONTENT & data.keys():
            raise ValidationError("A deleted message has no words.", "type")
        several = data.get("images")
        if several is not None and (len(several) < 2 or several[0] != data["image"]):
            raise ValidationError("Two at least, the first being image.", "images")
        if is_deleted == ("clientId" in data):
            raise ValidationError("Of a message that is there.", "clientId")


class MessageEdited(LogEvent):
    """``message_edited``: its author gave a message new words."""

    message = WholeNumber(minimum=1)
    user = UserId()
    text = Text()
    mentions = ListOf(UserId(), longest=MENTIONS, required=False)
    editedAt = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    edits = WholeNumber(minimum=1)
    at = WholeNumber(minimum=1)


class MessageDeleted(LogEvent):
    """``message_deleted``: nothing of a message is left but its place."""

    message = WholeNumber(minimum=1)
    by = UserId(required=False)
    reason = Label(longest=REASON_CHARACTERS, required=False)
    at = WholeNumber(minimum=1)


class Reaction(LogEvent):
    """``reaction``: somebody reacted to a message, or took it back."""

    message = WholeNumber(minimum=1)
    user = UserId()
    key = Label(longest=REACTION_CHARACTERS)
    on = Flag()
    count = WholeNumber()
    at = WholeNumber(minimum=1)


class Pin(LogEvent):
    """``pin``: a message was pinned, or is no more."""

    message = WholeNumber(minimum=1)
    on = Flag()
    by = UserId()
    at = WholeNumber(minimum=1)


class Reactions(StrictSchema):
    """``reactions``: those to a message of a large room, by now. Not in the log."""

    room = RoomId()
    message = WholeNumber(minimum=1)
    counts = Counts()


class PeopleEvent(LogEvent):
    """What was done to a room or its people; ``after``: its last message then."""

    by = UserId()
    after = WholeNumber()
    at = WholeNumber(minimum=1)


class MemberJoined(PeopleEvent):
    """``member_joined``: somebody was made a member by another one."""

    user = UserId()
    role = Role()


class MemberLeft(PeopleEvent):
    """``member_left``: somebody was put out; ``said``: why, in the words of who did."""

    user = UserId()
    reason = Word("kicked", "banned")
    said = Sentence(required=False)


class MemberChanged(PeopleEvent):
    """``member_changed``: the role and muting that hold now."""

    user = UserId()
    role = Role()
    mutedUntil = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name


class RoomCreated(PeopleEvent):
    """``room_created``: the first event of a room that was made by request."""

    kind = Kind()
    name = Sentence(required=False)
    topic = Sentence(required=False)
    data = JsonData(longest=ROOM_DATA_BYTES, required=False)
    history = SeenHistory(required=False)
    writers = Writers(required=False)
    invite = Writers(required=False)
    slow = WholeNumber(required=False)


class RoomChanged(PeopleEvent):
    """``room_changed``: all settings as they are now."""

    kind = Kind()
    name = Sentence(allow_none=True)
    topic = Sentence(allow_none=True)
    data = JsonData(longest=ROOM_DATA_BYTES, allow_none=True)
    history = SeenHistory()
    writers = Writers()
    invite = Writers()
    slow = WholeNumber()


class RoomDeleted(PeopleEvent):
    """``room_deleted``: the last event of a room."""


# What a room's log holds, by name: what is recovered, and what acks bring.
LOG_EVENTS: Final[Mapping[str, Schema]] = MappingProxyType(
    {
        "message": Message(),
        "message_edited": MessageEdited(),
        "message_deleted": MessageDeleted(),
        "reaction": Reaction(),
        "pin": Pin(),
        "member_joined": MemberJoined(),
        "member_left": MemberLeft(),
        "member_changed": MemberChanged(),
        "room_created": RoomCreated(),
        "room_changed": RoomChanged(),
        "room_deleted": RoomDeleted(),
    }
)


class Read(StrictSchema):
    """``read``: a user has read up to here. Not in the log."""

    room = RoomId()
    user = UserId()
    lastReadMessage = WholeNumber()  # noqa: N815 - the wire's name


class PersonalEvent(StrictSchema):
    """What every event of a user's own log has: its place in that log."""

    offset = WholeNumber(minimum=1)
    uid = Uid()
    at = WholeNumber(minimum=1)


class RoomAdded(PersonalEvent):
    """``room_added``: the user is a member of this room now."""

    room = RoomId()


class RoomRemoved(PersonalEvent):
    """``room_removed``: the user is a member of this room no longer."""

    room = RoomId()
    reason = Identifier()


class OwnRole(PersonalEvent):
    """``role``: the user has this role in a room now."""

    room = RoomId()
    role = Role()


class Mine(StrictSchema):
    """A user's own settings of a room."""

    muted = Flag()
    pinned = Flag()
    archived = Flag()
    markedUnread = Flag()  # noqa: N815 - the wire's name
    push = Push()


class RoomMine(PersonalEvent, Mine):
    """``room_mine``: the user's own settings of a room are these now."""

    room = RoomId()


class ReadMine(PersonalEvent):
    """``read_mine``: the user has read a room up to here, at one of their devices."""

    room = RoomId()
    lastReadMessage = WholeNumber()  # noqa: N815 - the wire's name


class Block(PersonalEvent):
    """``block``: the user blocks somebody, or does no longer."""

    user = UserId()
    on = Flag()


class ChangedRoom(StrictSchema):
    """A room of ``rooms_changed``."""

    room = RoomId()
    lastMessage = WholeNumber()  # noqa: N815 - the wire's name
    at = WholeNumber()
    name = Sentence(required=False)
    kind = Kind(required=False)
    newest = fields.Nested(Message, required=False)
    memberCount = WholeNumber(required=False)  # noqa: N815 - the wire's name
    lastReadMessage = WholeNumber(required=False)  # noqa: N815 - the wire's name


class RoomsChanged(StrictSchema):
    """``rooms_changed``: what passed in rooms on the user's list. Not in a log."""

    rooms = ListOf(fields.Nested(ChangedRoom), longest=CHANGED_ROOMS)


class MeReload(StrictSchema):
    """``me_reload``: what is known of one's rooms may be wrong; list them anew."""


class Typing(StrictSchema):
    """``typing``: a user began or ended writing. Not in the log."""

    room = RoomId()
    user = UserId()
    name = DisplayName(required=False)
    on = Flag()


class Presence(StrictSchema):
    """``presence``: a user came or went; in large rooms only how many are here."""

    room = RoomId()
    user = UserId(required=False)
    name = DisplayName(required=False)
    online = Flag(required=False)
    onlineCount = WholeNumber(required=False)  # noqa: N815 - the wire's name

    @validates_schema(skip_on_field_errors=True)
    def _one_form(self, data: dict[str, Any], **_options: Any) -> None:
        named = {"user", "online"} & data.keys()
        if len(named) == 1 or bool(named) == ("onlineCount" in data):
            raise ValidationError("Either user and online, or onlineCount.", "user")


class RateLimit(StrictSchema):
    """So many at once, and one more each ``interval`` milliseconds."""

    interval = WholeNumber(minimum=1)
    burst = WholeNumber(minimum=1)


class HelloLimits(StrictSchema):
    """What a client may ask for; a rate that is not named is not limited."""

    textCharacters = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    mentions = WholeNumber(minimum=1)
    images = WholeNumber(minimum=1)
    dataBytes = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    payloadBytes = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    imageBytes = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    imagePixels = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    imageFramePixels = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    userImageBytes = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    historyMessages = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    roomsPage = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    syncRooms = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    users = WholeNumber(minimum=1)
    sessionRooms = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    userRooms = WholeNumber(minimum=1)  # noqa: N815 - the wire's name
    announceMembers = WholeNumber()  # noqa: N815 - the wire's name
    rates = MapOf(Identifier(), fields.Nested(RateLimit))


class Hello(StrictSchema):
    """``hello``: what this server is, and who it takes the client for."""

    protocol = WholeNumber(minimum=2)
    server = Sentence()
    features = ListOf(Identifier(), longest=100)
    limits = fields.Nested(HelloLimits, required=True)
    user = UserId()
    name = DisplayName(required=False)
    picture = Picture(required=False)
    expiresAt = WholeNumber(allow_none=True)  # noqa: N815 - the wire's name


class MemberCount(StrictSchema):
    """``member_count``: how many members a large room has by now."""

    room = RoomId()
    memberCount = WholeNumber()  # noqa: N815 - the wire's name


class Closing(StrictSchema):
    """``closing``: the server is about to close this connection; come back."""

    reason = Identifier()
    retryAfter = WholeNumber()  # noqa: N815 - the wire's name


class Service(StrictSchema):
    """``service``: this node lost its Redis, or has it again; connections live on."""

    available = Flag()


class TokenExpired(StrictSchema):
    """``token_expired``: the session ends now; connect with a new token."""

    code = Word("unauthorized")
    message = Sentence()


class MembershipEnded(StrictSchema):
    """``membership_ended``: the user quit at another device; do not join again."""

    room = RoomId()


class Reload(StrictSchema):
    """``reload``: what was shown of this room may be wrong; join without a cursor."""

    room = RoomId()


# The events of a user's own log, by name.
PERSONAL_EVENTS: Final[Mapping[str, Schema]] = {
    "room_added": RoomAdded(),
    "room_removed": RoomRemoved(),
    "role": OwnRole(),
    "room_mine": RoomMine(),
    "read_mine": ReadMine(),
    "block": Block(),
}
