"""Payloads of requests about a room and its people."""

import json
import re
from typing import Any, Final

from marshmallow import ValidationError

from schemas.base import StrictField, StrictSchema, require_clean
from schemas.events import Room
from schemas.field_types import (
    VISIBLE,
    ClientId,
    Flag,
    ListOf,
    PatternText,
    RoomId,
    UserId,
    WholeNumber,
)

NAME_CHARACTERS: Final = 100
TOPIC_CHARACTERS: Final = 500
REASON_CHARACTERS: Final = 200
# Bytes of an application's own JSON about a room, and how deep it may be.
DATA_BYTES: Final = 8_192
DATA_DEPTH: Final = 5
# Seconds between two messages of a member in slow mode, at most.
SLOW_SECONDS: Final = 3_600
# Longest ban or mute with an end, in seconds: ten years.
LONGEST_SECONDS: Final = 10 * 365 * 24 * 3600
USERS_AT_ONCE: Final = 100
MEMBERS_PAGE: Final = 100
ROLES: Final = ("member", "moderator", "owner")


class Line(StrictField):
    """One line of text for people: what does not fit in it is refused.

    Args:
        longest: Characters.
        may_be_empty: Whether an empty one takes away what there was.
    """

    def __init__(
        self, *, longest: int, may_be_empty: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.longest = longest
        self.may_be_empty = may_be_empty

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> str:
        text = self._string(value).strip()
        if not text and self.may_be_empty:
            return text
        if len(text) > self.longest:
            raise ValidationError(f"Must be {self.longest} characters or fewer.")
        require_clean(text)
        if not VISIBLE.search(text):
            raise ValidationError("Must have something visible.")
        return text


class Data(StrictField):
    """JSON of the application's own, bounded in bytes and depth."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **_options: Any
    ) -> Any:
        if _depth(value, DATA_DEPTH) > DATA_DEPTH:
            raise ValidationError(f"Must be {DATA_DEPTH} levels deep or less.")
        if (
            len(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
            > DATA_BYTES
        ):
            raise ValidationError(f"Must be {DATA_BYTES} bytes of JSON or less.")
        return value


def _depth(value: object, most: int) -> int:
    if most < 0 or not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max((_depth(each, most - 1) for each in inner), default=0)


def _word(*words: str, **options: Any) -> PatternText:
    return PatternText(
        re.compile("|".join(words)), f"Must be {', '.join(words)}.", **options
    )


class _Settings(StrictSchema):
    name = Line(longest=NAME_CHARACTERS, may_be_empty=True, required=False)
    topic = Line(longest=TOPIC_CHARACTERS, may_be_empty=True, required=False)
    data = Data(required=False)
    history = _word("all", "joined", required=False)
    writers = _word("members", "moderators", required=False)
    invite = _word("moderators", "members", required=False)
    slow = WholeNumber(held_to=SLOW_SECONDS, required=False)


class RoomCreate(_Settings):
    """``room_create``: a room of a kind, with its settings and first members."""

    kind = _word("public", "private", "direct")
    room = RoomId(required=False)
    users = ListOf(UserId(), longest=USERS_AT_ONCE, key=str, required=False)
    clientId = ClientId()  # noqa: N815 - the wire's name


class RoomSet(_Settings):
    """``room_set``: what changes of a room; ``private`` makes a public one so."""

    room = RoomId()
    private = Flag(required=False)


class Members(Room):
    """``members``: a page of them, by their ids."""

    after = UserId(required=False)
    limit = WholeNumber(
        minimum=1, held_to=MEMBERS_PAGE, required=False, load_default=MEMBERS_PAGE
    )


class MembersAdd(Room):
    """``members_add``: users who become members."""

    users = ListOf(UserId(), longest=USERS_AT_ONCE, key=str)
    role = _word(*ROLES, required=False)


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
    role = _word(*ROLES, required=False)
    muteSeconds = WholeNumber(  # noqa: N815 - the wire's name
        held_to=LONGEST_SECONDS, required=False
    )
