"""Who may do what in a room: the one gate that every request passes."""

from realtime.errors import ForbiddenError, NotAttendingError
from realtime.services import Services
from realtime.sessions import Session
from schemas.catalog import Access


async def require_access(
    services: Services, session: Session, room: str, access: Access
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
    if access is Access.MEMBER and not await services.rooms.is_member(
        room, session.user
    ):
        raise ForbiddenError("You are not a member of this room.")
