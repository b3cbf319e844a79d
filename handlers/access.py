"""Who may do what in a room: the one gate that every request passes."""

from typing import Final

from realtime.errors import (
    ForbiddenError,
    NotAttendingError,
    RateLimitedError,
    UnavailableError,
)
from realtime.presence.sessions import ChatSession
from realtime.services import Services
from schemas.catalog import Access

# When to try a full node again, in milliseconds: by then a balancer knows.
FULL_RETRY_MS: Final = 5_000


def require_place(
    services: Services, *, user_sessions: int, address_sessions: int
) -> None:
    """Let a new session in if there is a place for it.

    Args:
        services: The sessions there are, and the limits.
        user_sessions: Sessions of the same user at this node.
        address_sessions: Sessions of the same address; 0 if it is not limited.

    Raises:
        UnavailableError: The node is full.
        RateLimitedError: The user, or the address, has too many sessions.
    """
    if len(services.sessions) >= services.limits.node_sessions:
        raise UnavailableError(
            "This node is full; try again.",
            retry_after_ms=FULL_RETRY_MS,
            limit="node_sessions",
        )
    if address_sessions >= services.limits.address_sessions:
        raise RateLimitedError(
            "Your address has too many open connections; try again.",
            retry_after_ms=FULL_RETRY_MS,
            limit="address_sessions",
        )
    if user_sessions >= services.limits.user_sessions:
        raise RateLimitedError(
            "You have too many open connections; close one.",
            retry_after_ms=FULL_RETRY_MS,
            limit="user_sessions",
        )


async def require_access(
    services: Services, session: ChatSession, room: str, access: Access
) -> None:
    """Let the request pass, or say why not.

    Who is no member learns nothing of a room, not even whether it exists.

    Args:
        services: The stores to ask.
        session: Who asks.
        room: The room that the request names.
        access: What the catalogue demands.

    Raises:
        NotAttendingError: This session has not joined the room.
        ForbiddenError: The user is no member of the room.
        UnavailableError: Membership cannot be looked up now.
    """
    if access is Access.ATTENDING and not services.attendance.attends(
        session.sid, room
    ):
        raise NotAttendingError("Join the room first.")
    if access is Access.MEMBER and not await services.memberships.is_member(
        room, session.user
    ):
        raise ForbiddenError("You are not a member of this room.")
