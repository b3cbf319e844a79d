"""What a script refuses with, as the error that a client is told."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from realtime.errors import (
    AbsentError,
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

# The reason of a clientId that was another request's.
KEY_REUSED: Final = "key_reused"

_Result = TypeVar("_Result")


def _forbidden(message: str) -> Callable[[Refusal], ChatError]:
    return lambda refusal: ForbiddenError(message, reason=refusal.reason)


def _until(message: str) -> Callable[[Refusal], ChatError]:
    return lambda refusal: ForbiddenError(
        message, reason=refusal.reason, until_ms=refusal.number
    )


def _wait(message: str, limit: str | None = None) -> Callable[[Refusal], ChatError]:
    return lambda refusal: SlowModeError(
        message, retry_after_ms=refusal.number, limit=limit
    )


def _not_found(message: str) -> Callable[[Refusal], ChatError]:
    return lambda _: NotFoundError(message)


def _too_large(message: str, limit: str) -> Callable[[Refusal], ChatError]:
    return lambda _: TooLargeError(message, limit=limit)


def _unavailable(message: str) -> Callable[[Refusal], ChatError]:
    return lambda _: UnavailableError(message)


def _reused(_refusal: Refusal) -> ChatError:
    said = "Was used for another request."
    return InvalidError(
        f"clientId: {said}", fields={"clientId": [said]}, reason=KEY_REUSED
    )


def _reply_to(_refusal: Refusal) -> ChatError:
    said = "There is no such message, or not any more."
    return InvalidError(f"replyTo: {said}", fields={"replyTo": [said]})


_TOO_MANY_KEYS: Final = _too_large(
    "There are too many different reactions to this message.", "message_reactions"
)

# By the words of the scripts' headers.
_ERRORS: Final[Mapping[str, Callable[[Refusal], ChatError]]] = {
    "not_member": lambda _: NotMemberError("You are not a member of this room."),
    "quit": lambda _: ForbiddenError(
        "You quit this room; join it anew, without a cursor."
    ),
    "banned": _until("You are banned from this room."),
    "muted": _until("You are muted in this room."),
    "frozen": _forbidden("Only moderators may write in this room."),
    "role": _forbidden("Your role does not allow this."),
    "author": _forbidden("Only its author edits a message."),
    "newcomers": _forbidden(
        "Members have come since who may not see this message; it stays as it is."
    ),
    "too_late": _forbidden("It is too late to edit this message."),
    "slow": _wait("This room is in slow mode; wait before you write again."),
    "busy": _wait(
        "There are too many reactions in this room; wait a little.", "rate_reactions"
    ),
    "reused": _reused,
    "no_room": _not_found("There is no such room."),
    "no_such_member": _not_found("They are no member of this room."),
    "not_found": _not_found("There is no such message."),
    "exists": lambda _: ConflictError("There is a room of this id already."),
    "reply_to": _reply_to,
    "mention_all": lambda refusal: ForbiddenError(
        f"Only moderators mention everybody where there are more than"
        f" {refusal.number} members.",
        reason="role",
    ),
    "edits": _too_large("This message was edited too often.", "message_edits"),
    "keys": _TOO_MANY_KEYS,
    "own_keys": _TOO_MANY_KEYS,
    "pins": _too_large(
        "Too many messages are pinned here; take a pin off.", "room_pins"
    ),
    "too_many_bans": _too_large(
        "This room has as many bans as it may have.", "room_bans"
    ),
    "absent": lambda _: AbsentError("They quit a moment ago; send it again."),
    "blocked": _forbidden("One of you blocks the other."),
    "invites": _too_large(
        "This room has as many invites as it may have; revoke one.", "room_invites"
    ),
    "jobs": _too_large(
        "There are as many jobs as there may be; delete those you are done with.",
        "jobs",
    ),
    "changed": _unavailable("The message is being changed; try again."),
    "lost": _unavailable("The room is being mended; ask again."),
}


def granted(found: _Result | Refusal) -> _Result:
    """Return what a script found; what it refuses with is raised as its error."""
    if isinstance(found, Refusal):
        raise error_of(found)
    return found


def error_of(refusal: Refusal) -> ChatError:
    """Return the error for a refusal; the words are those of the scripts' headers."""
    return _ERRORS[refusal.reason](refusal)
