"""Payloads of the events that clients send."""

from typing import Any, ClassVar, Final

from marshmallow import ValidationError, fields, validates_schema

from schemas.base import StrictField, StrictSchema
from schemas.field_types import (
    Binary,
    ClientId,
    Cursor,
    Flag,
    InviteToken,
    JsonData,
    Label,
    ListCursor,
    ListOf,
    RoomId,
    Text,
    UserId,
    WholeNumber,
    Word,
)

# Rooms of one ``sync``: each costs reads in Redis and a page of events.
SYNC_ROOMS: Final = 200

# The longest page of ``rooms``, and what it is without a ``limit``: one ``sync``.
ROOMS_PAGE: Final = 200

# The longest page of ``rooms`` by their last message, and what ``me`` lists.
LIST_PAGE: Final = 100

# The longest page of history; a higher ``limit`` is held to it.
HISTORY_MESSAGES: Final = 100

# A page of history when the client names no ``limit``: two or three screens.
HISTORY_DEFAULT: Final = 50

# By what a page of history is found; one at most.
HISTORY_PLACES: Final = ("before", "after", "around", "at")

# Messages of which one request asks how many have not read them: those of a screen.
READS_MESSAGES: Final = 50

# Users mentioned by one message; a larger crowd is the room itself.
MENTIONS: Final = 50

# Images of one message: those of an outing, and the attachments that a packet may have.
IMAGES: Final = 10

# Bytes of what an application attaches to a message, as JSON.
DATA_BYTES: Final = 4_096

# A reaction: an emoji with all its joiners, or a name (``:party_parrot:``).
REACTION_CHARACTERS: Final = 64

# Why a message was deleted: one line.
REASON_CHARACTERS: Final = 200

# Users whose names one request asks for: those of a screen, and of a page of history.
USERS: Final = 100

# Tokens with many claims have 2-4 KB; proxies cut headers at 8-16 KB as well.
TOKEN_CHARACTERS: Final = 16_384


class Room(StrictSchema):
    """``leave``, ``quit``: the room alone."""

    room = RoomId()


class SyncRoom(Room):
    """One room of ``sync``."""

    cursor = Cursor(required=False)


class Join(SyncRoom):
    """``join``: with an invite into a private room."""

    invite = InviteToken(required=False)


class JoinItem(fields.Nested):
    """A ``SyncRoom`` inside a list, never null."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's own way
        "null": "Must be an object.",
        "type": "Must be an object.",
    }


class Sync(StrictSchema):
    """``sync``: what ``join`` does, for all of a client's rooms at once."""

    rooms = ListOf(
        JoinItem(SyncRoom), longest=SYNC_ROOMS, key=lambda item: item["room"]
    )


class Send(Room):
    """``send``: a text, or images with or without a caption."""

    clientId = ClientId()  # noqa: N815 - the wire's name
    type = Word("text", "image")
    text = Text(required=False)
    image = Binary(required=False)
    images = ListOf(Binary(), longest=IMAGES, required=False)
    replyTo = WholeNumber(minimum=1, required=False)  # noqa: N815 - the wire's name
    mentions = ListOf(UserId(), longest=MENTIONS, key=str, required=False)
    mentionAll = Flag(required=False)  # noqa: N815 - the wire's name
    silent = Flag(required=False)
    data = JsonData(longest=DATA_BYTES, required=False)

    @validates_schema(skip_on_field_errors=True)
    def _match_type(self, data: dict[str, Any], **_options: Any) -> None:
        require_match(data, is_image=data["type"] == "image")


def require_match(data: dict[str, Any], *, is_image: bool) -> None:
    """Require what a message of a type has, and nothing of the other one.

    Raises:
        ValidationError: A field is missing or too much, by its name.
    """
    given = [name for name in ("image", "images") if name in data]
    if not is_image:
        if "text" not in data:
            raise ValidationError("A text message needs it.", "text")
        if given:
            raise ValidationError("A text message has none.", given[0])
    elif not given:
        raise ValidationError("An image message needs it.", "image")
    elif len(given) > 1:
        raise ValidationError("image and images exclude each other.", "images")
    elif "images" in data and not data["images"]:
        raise ValidationError("Must have an item.", "images")


class OfMessage(Room):
    """A message of a room, by its number."""

    message = WholeNumber(minimum=1)


class Edit(OfMessage):
    """``edit``: the words that an own message is to have, as a whole."""

    clientId = ClientId()  # noqa: N815 - the wire's name
    text = Text()
    mentions = ListOf(UserId(), longest=MENTIONS, key=str, required=False)


class Delete(OfMessage):
    """``delete``: what is said of why is shown to all."""

    reason = Label(longest=REASON_CHARACTERS, required=False)


class React(OfMessage):
    """``react``: set it, or take it back."""

    key = Label(longest=REACTION_CHARACTERS)
    on = Flag()


class Pin(OfMessage):
    """``pin``: pin it for all, or take the pin off."""

    on = Flag()


class MarkRead(Room):
    """``mark_read``: the highest message number that the user has read."""

    message = WholeNumber(minimum=1)


class Typing(Room):
    """``typing``: began or ended."""

    on = Flag()


class History(Room):
    """``history``: messages by number; the bounds are exclusive; or around one."""

    before = WholeNumber(minimum=1, required=False)
    after = WholeNumber(minimum=0, required=False)
    around = WholeNumber(minimum=1, required=False)
    at = WholeNumber(minimum=0, required=False)
    limit = WholeNumber(
        minimum=1,
        held_to=HISTORY_MESSAGES,
        required=False,
        load_default=HISTORY_DEFAULT,
    )

    @validates_schema(skip_on_field_errors=True)
    def _one_bound(self, data: dict[str, Any], **_options: Any) -> None:
        given = [name for name in HISTORY_PLACES if name in data]
        if len(given) > 1:
            raise ValidationError(
                f"{' and '.join(given)} exclude each other.", given[1]
            )


class Media(Room):
    """``media``: messages with images below a number, or the newest."""

    before = WholeNumber(minimum=1, required=False)
    limit = WholeNumber(
        minimum=1,
        held_to=HISTORY_MESSAGES,
        required=False,
        load_default=HISTORY_DEFAULT,
    )


class Reads(Room):
    """``reads``: how many have not read some messages."""

    messages = ListOf(WholeNumber(minimum=1), longest=READS_MESSAGES, key=int)


class Users(Room):
    """``users``: what members of the room are called."""

    users = ListOf(UserId(), longest=USERS, key=str)


class Push(Word):
    """What the application pushes of a room."""

    def __init__(self, **options: Any) -> None:
        super().__init__("all", "mentions", "none", **options)


class Rooms(StrictSchema):
    """``rooms``: a page of the user's rooms.

    In the order of their ids, or by their last message with what only that order has.
    """

    after = RoomId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=ROOMS_PAGE, required=False, load_default=ROOMS_PAGE
    )
    sort = Word("recent", required=False)
    cursor = ListCursor(required=False)
    filter = Word("active", "archived", "pinned", "unread", required=False)

    @validates_schema(skip_on_field_errors=True)
    def _one_order(self, data: dict[str, Any], **_options: Any) -> None:
        if "after" in data and data.keys() & {"sort", "cursor", "filter"}:
            raise ValidationError("It is for the order by id.", "after")


class Me(StrictSchema):
    """``me``: follow what becomes of one's rooms, on all devices."""

    cursor = Cursor(required=False)
    list = Flag(required=False)


class RoomMine(Room):
    """``room_mine``: one's own settings of a room; what is left out stays."""

    muted = Flag(required=False)
    pinned = Flag(required=False)
    archived = Flag(required=False)
    push = Push(required=False)

    json_rules: ClassVar[dict[str, Any]] = {"minProperties": 1}

    @validates_schema(skip_on_field_errors=True)
    def _any(self, data: dict[str, Any], **_options: Any) -> None:
        if len(data) == 1:
            raise ValidationError("Must name a setting.", "room")


class MarkUnread(Room):
    """``mark_unread``: a mark of the user's own; what was read stays read."""

    on = Flag()


class Token(StrictField):
    """A JSON Web Token: bounded printable ASCII. What it says is for auth to judge."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value)
        if not 1 <= len(text) <= TOKEN_CHARACTERS:
            raise ValidationError(f"Must be 1 to {TOKEN_CHARACTERS} characters.")
        if not (text.isascii() and text.isprintable()):
            raise ValidationError("Must be printable ASCII.")
        return text


class Refresh(StrictSchema):
    """``refresh``: a new token for the same user."""

    token = Token()
