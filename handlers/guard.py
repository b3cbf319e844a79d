"""From a client's event to its ack: load, look up, check, call, answer.

Whatever a handler does, the client gets exactly one honest answer, the connection
lives on, and a defect leaves one traceback in the log.
"""

import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Protocol

from marshmallow import ValidationError

from handlers.access import require_access
from realtime.errors import (
    ChatError,
    InternalError,
    InvalidError,
    RateLimitedError,
    SlowModeError,
    UnauthorizedError,
)
from realtime.pacing import Turnstile
from realtime.presence.sessions import ChatSession
from realtime.services import Services
from realtime.socketio.deferred_ack import DeferredAck
from schemas.base import flatten_errors
from schemas.catalog import REQUESTS, Access, Request

Payload = dict[str, Any]
Answer = dict[str, object] | DeferredAck | None

# What a client that keeps to the protocol never gets many of. One that lost its way in
# many rooms at once may get other refusals, and needs them quickly.
COUNTED_REFUSALS: Final = (InvalidError, RateLimitedError)

# Fields and entries of a payload, over all depths: a `sync` of 200 rooms with cursors
# has some 600. To say what is wrong with one takes up to 9 µs.
PAYLOAD_VALUES: Final = 2_000

# What people wait for: how long its acks take is measured.
TIMED: Final = "send"

_logger = logging.getLogger(__name__)


class Guarded(Protocol):
    """What a namespace offers its handlers."""

    services: Services
    turns: Turnstile
    """Lets a few requests of a user begin in each turn of the event loop."""
    under_way: int
    """Requests that wait for their answer."""

    def count(self, event: str, error: ChatError) -> None:
        """Take note of an answer that is an error."""
        ...

    def count_refusal(self, sid: str) -> None:
        """Take note that a session was refused something; it may be slowed down."""
        ...


Handler = Callable[[Any, ChatSession, Payload], Awaitable[Answer]]
Entry = Callable[..., Awaitable[object]]


def guarded(handler: Handler) -> Entry:
    """Make ``on_<event>(self, session, payload)`` a handler of the catalogue's event.

    The result takes ``(self, sid, *arguments)`` as python-socketio calls it, never
    raises, and returns the ack: ``{"ok": true, …}`` with what the handler returned, or
    ``{"ok": false, "error": {…}}``. A ``DeferredAck`` stays one.

    Raises:
        KeyError: at import, for a handler without a row in the catalogue.
    """
    request = REQUESTS[handler.__name__.removeprefix("on_")]

    @functools.wraps(handler)
    async def entry(namespace: Guarded, sid: str, *arguments: object) -> object:
        namespace.under_way += 1
        begun = time.monotonic()
        try:
            session = namespace.services.sessions.find(sid)
            if session is None:
                raise UnauthorizedError("This session has ended; connect again.")
            if not namespace.turns.try_enter(session.user):
                await namespace.turns.enter(session.user)
            now = time.monotonic()
            namespace.services.rates.take(sid, request.name, now)
            namespace.services.rates.take_of_user(session.user, now)
            payload = load_payload(request, arguments)
            if request.access is not Access.ANYONE:
                await require_access(
                    namespace.services, session, payload["room"], request.access
                )
            result = await handler(namespace, session, payload)
        except Exception as error:  # noqa: BLE001 - logged, and answered as `internal`
            if isinstance(error, COUNTED_REFUSALS) and not isinstance(
                error, SlowModeError
            ):
                namespace.count_refusal(sid)
            return _refused(namespace, request.name, sid, error)
        finally:
            namespace.under_way -= 1
        if isinstance(result, DeferredAck):
            return DeferredAck(
                functools.partial(_resolved, namespace, request.name, sid, result)
            )
        return _answered(namespace, request.name, begun, result)

    return entry


def load_payload(request: Request, arguments: Sequence[object]) -> Payload:
    """Load the one argument of an event by its schema.

    Raises:
        InvalidError: with ``fields``, for whatever else it is.
    """
    if request.bare and not arguments:
        arguments = ({},)
    if len(arguments) != 1:
        raise InvalidError(
            f"{request.name} takes one object, not {len(arguments)} arguments.",
            fields={"payload": ["Must be one object."]},
        )
    accepted = request.payload.accept(arguments[0])
    if accepted is not None:
        return accepted
    if _count_values(arguments[0]) > PAYLOAD_VALUES:
        raise InvalidError(
            f"{request.name} has more than {PAYLOAD_VALUES} fields and entries.",
            fields={"payload": [f"At most {PAYLOAD_VALUES} fields and entries."]},
        )
    try:
        loaded: Payload = request.payload.load(arguments[0])
    except ValidationError as error:
        fields = flatten_errors(error.messages)
        path, said = next(iter(fields.items()))
        message = f"{request.name}: {path}: {said[0]}"
        raise InvalidError(message, fields=fields) from None
    return loaded


def _count_values(value: object) -> int:
    """Count what a payload holds, no further than :data:`PAYLOAD_VALUES` and one."""
    waiting, count = [value], 0
    while waiting and count <= PAYLOAD_VALUES:
        each = waiting.pop()
        if isinstance(each, (dict, list)):
            count += len(each)
            if count <= PAYLOAD_VALUES:
                waiting.extend(each.values() if isinstance(each, dict) else each)
    return count


def error_answer(error: ChatError) -> dict[str, object]:
    """Return the ack that tells of an error."""
    return {"ok": False, "error": error.to_wire()}


def as_chat_error(error: Exception, event: str, sid: str) -> ChatError:
    """Return what a client is told of a failure; a defect is logged, here only."""
    if isinstance(error, ChatError):
        return error
    _logger.error("%s of session %s failed", event, sid, exc_info=error)
    return InternalError("The server failed at this; it is in its log.")


def _answered(
    namespace: Guarded, event: str, begun: float, result: object
) -> dict[str, object]:
    if event == TIMED:
        namespace.services.traffic.send.observe(time.monotonic() - begun)
    return _granted(result)


def _granted(result: object) -> dict[str, object]:
    return {"ok": True, **result} if isinstance(result, dict) else {"ok": True}


def _refused(
    namespace: Guarded, event: str, sid: str, error: Exception
) -> dict[str, object]:
    refusal = as_chat_error(error, event, sid)
    namespace.count(event, refusal)
    return error_answer(refusal)


def _resolved(
    namespace: Guarded, event: str, sid: str, deferred: DeferredAck
) -> dict[str, object]:
    """Run the deferred step; it may fail like the handler itself."""
    try:
        return _granted(deferred.resolve())
    except Exception as error:  # noqa: BLE001 - logged, and answered as `internal`
        return _refused(namespace, event, sid, error)
