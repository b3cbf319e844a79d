"""What a script refuses with, as the error that a client is told."""

from collections.abc import Callable, Mapping
from typing import Final

from realtime.errors import (
    ChatError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotMemberError,
    SlowModeError,
    TooLargeError,
    UnavailableError,
)
from realtime.store.scripts.loading import Refusal

_REUSED: Final = "Was used for another operation."

# By the words of the scripts' headers; each is given the number that comes with it.
_ERRORS: Final[Mapping[str, Callable[[int], ChatError]]] = {
    "not_member": lambda _: NotMemberError("You are not a member of this room."),
    "no_room": lambda _: NotFoundError("There is no such room."),
    "no_such_member": lambda _: NotFoundError("They are no member of this room."),
    "exists": lambda _: ConflictError("There is a room of this id already."),
    "quit": lambda _: ForbiddenError(
        "You quit this room; join it anew, without a cursor."
    ),
    "banned": lambda until_ms: ForbiddenError(
        "You are banned from this room.", reason="banned", until_ms=until_ms
    ),
    "muted": lambda until_ms: ForbiddenError(
        "You are muted in this room.", reason="muted", until_ms=until_ms
    ),
    "frozen": lambda _: ForbiddenError(
        "Only moderators may write in this room.", reason="frozen"
    ),
    "role": lambda _: ForbiddenError("Your role does not allow this.", reason="role"),
    "slow": lambda wait_ms: SlowModeError(
        "This room is in slow mode; wait before you write again.",
        retry_after_ms=wait_ms,
    ),
    "too_many_bans": lambda _: TooLargeError(
        "This room has as many bans as it may have.", limit="room_bans"
    ),
    "lost": lambda _: UnavailableError("The room is being mended; ask again."),
    "reused": lambda _: InvalidError(
        f"clientId: {_REUSED}", fields={"clientId": [_REUSED]}
    ),
}


def error_of(refusal: Refusal) -> ChatError:
    """Return the error for a refusal."""
    return _ERRORS[refusal.reason](refusal.number)
