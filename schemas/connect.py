"""What a client says of itself when it connects."""

import re
from typing import Final

from marshmallow import EXCLUDE

from schemas.base import StrictSchema
from schemas.events import Token
from schemas.field_types import PatternText, PersonId

DEVICE_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ConnectAuth(StrictSchema):
    """The ``auth`` object: a token, or in development mode a user's name.

    Fields that are not ours are left alone: an application may have its own
    middleware look at them.
    """

    class Meta:
        """Options of marshmallow."""

        unknown = EXCLUDE

    token = Token(required=False)
    user = PersonId(required=False)
    device = PatternText(
        DEVICE_PATTERN, "Must be 1 to 64 of A-Z a-z 0-9 _ -.", required=False
    )
