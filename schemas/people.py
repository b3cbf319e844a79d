"""Payloads of requests about a room and its people."""

from typing import Any, ClassVar, Final

from schemas.base import StrictSchema
from schemas.events import Room
from schemas.field_types import (
    ClientId,
    Flag,
    JsonData,
    Label,
    ListOf,
    PersonId,
    RoomId,
    UserId,
    WholeNumber,
    Word,
)

NAME_CHARACTERS: Final = 100
TOPIC_CHARACTERS: Final = 500
REASON_CHARACTERS: Final = 200
# Bytes of an application's own JSON about a room, and how deep it may be.
ROOM_DATA_BYTES: Final = 8_192
# Seconds between two messages of a member in slow mode, at most.
SLOW_SECONDS: Final = 3_600
# Longest ban or mute with an end, in seconds: ten years.
LONGEST_SECONDS: Final = 10 * 365 * 24 * 3600
USERS_AT_ONCE: Final = 100
MEMBERS_PAGE: Final = 100


class Line(Label):
    """A label without the spaces around it.

    Args:
        longest: Characters.
        may_be_empty: Whether an empty one takes away what there was.
    """

    def __init__(
        self, *, longest: int, may_be_empty: bool = False, **options: Any
    ) -> None:
        super().__init__(longest=longest, **options)
        self.may_be_empty = may_be_empty

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **options: Any
    ) -> str:
        text = self._string(value).strip()
        if not text and self.may_be_empty:
            return text
        return super()._deserialize(text, attr, data, **options)


class Role(Word):
    """What a member may do in a room."""

    def __init__(self, **options: Any) -> None:
        super().__init__("member", "moderator", "owner", **options)


class Kind(Word):
    """Who may come into a room."""

    def __init__(self, **options: Any) -> None:
        super().__init__("public", "private", "direct", **options)


class Writers(Word):
    """Which of the members may do something."""

    def __init__(self, **options: Any) -> None:
        super().__init__("members", "moderators", **options)


class SeenHistory(Word):
    """What newcomers see: all, or what is said from when they joined."""

    def __init__(self, **options: Any) -> None:
        super().__init__("all", "joined", **options)


class _Settings(StrictSchema):
    name = Line(longest=NAME_CHARACTERS, may_be_empty=True, required=False)
    topic = Line(longest=TOPIC_CHARACTERS, may_be_empty=True, required=False)
    data = JsonData(longest=ROOM_DATA_BYTES, required=False)
    history = SeenHistory(required=False)
    writers = Writers(required=False)
    invite = Writers(required=False)
    slow = WholeNumber(held_to=SLOW_SECONDS, required=False)


class RoomCreate(_Settings):
    """``room_create``: a room of a kind, with its settings and first members."""

    kind = Kind()
    room = RoomId(required=False)
    users = ListOf(PersonId(), longest=USERS_AT_ONCE, key=str, required=False)
    clientId = ClientId()  # noqa: N815 - the wire's name


class RoomSet(_Settings):
    """``room_set``: what changes of a room; ``private`` makes a public one so."""

    room = RoomId()
    private = Flag(required=False)

    json_rules: ClassVar[dict[str, Any]] = {"minProperties": 1}


class Members(Room):
    """``members``: a page of them, by their ids."""

    after = UserId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=MEMBERS_PAGE, required=False, load_default=MEMBERS_PAGE
    )


class MembersAdd(Room):
    """``members_add``: users who become members."""

    users = ListOf(PersonId(), longest=USERS_AT_ONCE, key=str)
    role = Role(required=False)


class MemberRemove(Room):
    """``member_remove``: a kick; with ``ban`` or ``banSeconds`` they stay out."""

    user = UserId()
    ban = Flag(required=False)
    banSeconds = WholeNumber(  # noqa: N815 - the wire's name
        minimum=1, held_to=LONGEST_SECONDS, required=False
    )
    reason = Line(longest=REASON_CHARACTERS, required=False)


class Unban(Room):
    """``unban``: a user who may come again."""

    user = UserId()


class MemberSet(Room):
    """``member_set``: a role, or a pause in writing; 0 seconds end it."""

    user = UserId()
    role = Role(required=False)
    muteSeconds = WholeNumber(  # noqa: N815 - the wire's name
        held_to=LONGEST_SECONDS, required=False
    )
