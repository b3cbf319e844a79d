"""Every error that a client can be told about, as one tree.

::

    ChatError
    ├── InvalidError          invalid          the payload breaks its schema
    ├── UnauthorizedError     unauthorized     no valid token
    ├── ForbiddenError        forbidden        not allowed in this room
    │   └── NotMemberError                     the user is no member of it
    ├── NotFoundError         not_found        no such room or message
    ├── ConflictError         conflict         there is one of this id already
    ├── NotAttendingError     not_attending    the session has not joined the room
    ├── TooLargeError         too_large        over a size limit
    ├── RateLimitedError      rate_limited     too many requests (temporary)
    │   └── SlowModeError                      the room lets them write later
    ├── UnavailableError      unavailable      nothing was done, try again (temporary)
    │   └── AbsentError                        who quit a direct room comes back first
    ├── OutcomeUnknownError   unknown          may have been done (temporary)
    ├── UnknownEventError     unknown_event    no such event
    └── InternalError         internal         a defect of the server

``temporary`` answers one question: may the same request, sent again, succeed?
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar

Fields = Mapping[str, Sequence[str]]


class ChatError(Exception):
    """An error with a stable code, told to the client in an ack.

    Args:
        message: One sentence for the person who reads it. No secrets, no text of
            other users.
        fields: The field's path to what is wrong with it, for invalid payloads.
        retry_after_ms: Milliseconds after which a retry makes sense.
        reason: One word for the program, where a code has several (``muted``).
        until_ms: Unix ms at which what stands in the way ends by itself.
        limit: The limit of :mod:`realtime.limits` that was met; it is counted.
    """

    code: ClassVar[str] = "internal"
    temporary: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        fields: Fields | None = None,
        retry_after_ms: int | None = None,
        reason: str | None = None,
        until_ms: int | None = None,
        limit: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        self.retry_after_ms = retry_after_ms
        self.reason = reason
        self.until_ms = until_ms
        self.limit = limit

    def to_wire(self) -> dict[str, object]:
        """Return the ``error`` object of an ack, by ``docs/protocol.md``."""
        wire: dict[str, object] = {
            "code": self.code,
            "message": self.message,
            "temporary": self.temporary,
        }
        if self.fields is not None:
            wire["fields"] = {name: list(said) for name, said in self.fields.items()}
        if self.retry_after_ms is not None:
            wire["retryAfter"] = self.retry_after_ms
        if self.reason is not None:
            wire["reason"] = self.reason
        if self.until_ms is not None:
            wire["until"] = self.until_ms
        return wire


class InvalidError(ChatError):
    """The payload breaks its schema; ``fields`` says where."""

    code = "invalid"


class UnauthorizedError(ChatError):
    """The token is missing, wrong or expired."""

    code = "unauthorized"


class ForbiddenError(ChatError):
    """The user may not do this in this room."""

    code = "forbidden"


class NotMemberError(ForbiddenError):
    """The user is no member of this room."""


class NotFoundError(ChatError):
    """There is no such room or message."""

    code = "not_found"


class ConflictError(ChatError):
    """There is something else of this id already."""

    code = "conflict"


class NotAttendingError(ChatError):
    """The session has not joined the room, or has left it."""

    code = "not_attending"


class TooLargeError(ChatError):
    """A payload is over its limit."""

    code = "too_large"


class RateLimitedError(ChatError):
    """Too many requests; ``retry_after_ms`` says when to come back."""

    code = "rate_limited"
    temporary = True


class SlowModeError(RateLimitedError):
    """The room lets a member write once in a while; they did nothing wrong."""


class UnavailableError(ChatError):
    """Nothing was stored or changed; the same request may succeed later."""

    code = "unavailable"
    temporary = True


class AbsentError(UnavailableError):
    """The other one of a direct room quit it, and is to be brought back first."""


class OutcomeUnknownError(ChatError):
    """The request was handed to Redis and no answer came back.

    It may have been carried out. Repeating a ``send`` with the same ``clientId``
    settles the question without a double.
    """

    code = "unknown"
    temporary = True


class UnknownEventError(ChatError):
    """The client asked for an event that does not exist."""

    code = "unknown_event"


class InternalError(ChatError):
    """A defect of the server; its log has the traceback."""

    code = "internal"


class StartError(Exception):
    """A reason not to start, in words that say what to change: no client hears of it.

    The command line prints its text without a traceback: it stands for a wrong
    setting, a Redis that does not fit or a busy port, never for a defect.
    """


@contextmanager
def changed_before() -> Iterator[None]:
    """Never say that nothing was changed of what follows a change."""
    try:
        yield
    except UnavailableError as error:
        raise OutcomeUnknownError(error.message, limit=error.limit) from error
