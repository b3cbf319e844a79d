"""How a room stands besides its messages: in the ack of a join, and after a gap."""

from typing import Final

from schemas.base import StrictSchema
from schemas.broadcasts import MapOf
from schemas.field_types import ListOf, RoomId, UserId, WholeNumber

# No bound of the protocol's own: the server's settings bound these lists.
ANY_NUMBER: Final = 2**31


class RoomState(StrictSchema):
    """``state``: who is here and how far each has read, as of now. Not in the log.

    ``reads`` and ``online`` are null in a room too large to list them.
    """

    room = RoomId()
    reads = MapOf(UserId(), WholeNumber(), allow_none=True)
    online = ListOf(UserId(), longest=ANY_NUMBER, key=str, allow_none=True)
    onlineCount = WholeNumber()  # noqa: N815 - the wire's name
    memberCount = WholeNumber()  # noqa: N815 - the wire's name
