"""How a room stands besides its messages: in the ack of a join, and after a gap."""

from typing import Any, Final

from marshmallow import ValidationError, fields

from schemas.base import StrictField, StrictSchema
from schemas.field_types import ListOf, RoomId, UserId, WholeNumber

# No bound of the protocol's own: the server's settings bound these lists.
ANY_NUMBER: Final = 2**31


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


class RoomState(StrictSchema):
    """``state``: who is here and how far each has read, as of now. Not in the log.

    ``reads`` and ``online`` are null in a room too large to list them.
    """

    room = RoomId()
    reads = MapOf(UserId(), WholeNumber(), allow_none=True)
    online = ListOf(UserId(), longest=ANY_NUMBER, key=str, allow_none=True)
    onlineCount = WholeNumber()  # noqa: N815 - the wire's name
    memberCount = WholeNumber()  # noqa: N815 - the wire's name
