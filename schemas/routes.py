"""The HTTP API as one table: each route carries out a request of the catalogue.

The path's and the query's values, the body's fields and ``Idempotency-Key`` together
are the request's payload, by the same schema as over a socket; the answer is its ack
without ``ok``. ``docs/api.md`` must name each row.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

# Under this path are all routes.
PREFIX: Final = "/api"


class Scope(StrEnum):
    """What an API key may be allowed to do."""

    READ = "read"
    """Read rooms and messages."""
    WRITE = "write"
    """Send messages."""
    USERS_ACT = "users:act"
    """Act as the user that ``X-Chat-User`` names, by that user's rights."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API.

    Attributes:
        method: The HTTP method.
        path: Behind :data:`PREFIX`, with the payload's fields in braces.
        request: The catalogue's request that it carries out.
        scope: What a key needs; None: only a user may ask, or a key for one.
        summary: One sentence for the documentation.
        query: Fields of the payload that the query may have, and whether each is a
            number.
        has_body: Whether the other fields come as a JSON object.
        is_idempotent: Whether ``Idempotency-Key`` is its ``clientId``.
        fixed: Fields of the payload that the route itself says.
        created: The status of an answer that is no repetition.
    """

    method: str
    path: str
    request: str
    scope: Scope | None
    summary: str
    query: tuple[tuple[str, bool], ...] = ()
    has_body: bool = False
    is_idempotent: bool = False
    fixed: dict[str, Any] = field(default_factory=dict)
    created: int = 200


ROUTES: Final = (
    Route(
        "POST",
        "/chats/{room}/message",
        "send",
        Scope.WRITE,
        "Send a message.",
        has_body=True,
        is_idempotent=True,
        created=201,
    ),
    Route(
        "GET",
        "/chats/{room}/messages",
        "history",
        Scope.READ,
        "Read a page of messages by number.",
        query=(("before", True), ("after", True), ("limit", True)),
    ),
    Route(
        "PUT",
        "/chats/{room}/read",
        "mark_read",
        None,
        "Say how far the user has read.",
        has_body=True,
    ),
    Route(
        "GET",
        "/me/chats",
        "rooms",
        None,
        "List the user's rooms.",
        query=(("after", False), ("limit", True)),
    ),
    Route("DELETE", "/me/chats/{room}", "quit", None, "Quit a room."),
)
