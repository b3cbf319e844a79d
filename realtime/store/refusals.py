"""What a script refuses with, as the error that a client is told."""

from realtime.errors import (
    ChatError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotMemberError,
    SlowModeError,
)
from realtime.store.scripts.loading import Refusal


def error_of(refusal: Refusal) -> ChatError:
    """Return the error for a refusal; the words are those of the scripts' headers."""
    reason, number = refusal
    match reason:
        case "not_member":
            return NotMemberError("You are not a member of this room.")
        case "no_room":
            return NotFoundError("There is no such room.")
        case "muted":
            return ForbiddenError(
                "You are muted in this room.", reason=reason, until_ms=number
            )
        case "frozen":
            return ForbiddenError(
                "Only moderators may write in this room.", reason=reason
            )
        case "slow":
            return SlowModeError(
                "This room is in slow mode; wait before you write again.",
                retry_after_ms=number,
            )
        case "reused":
            said = "Was used for another operation."
            return InvalidError(f"clientId: {said}", fields={"clientId": [said]})
    raise AssertionError(f"no script refuses with {reason}")
