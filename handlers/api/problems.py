"""Errors of the API as problems, RFC 9457, with the error object of a socket's ack."""

import math
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from handlers.api.payload import KEY_HEADER
from realtime.errors import ChatError, InternalError
from realtime.store.refusals import KEY_REUSED

CONTENT_TYPE: Final = "application/problem+json"

STATUS: Final = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_attending": 403,
    "conflict": 409,
    "too_large": 413,
    KEY_REUSED: 422,
    "rate_limited": 429,
    "unavailable": 503,
    # It may have been done: the same request with the same key settles it.
    "unknown": 504,
    "unknown_event": 404,
    "internal": 500,
}
# Each status that is a problem, and the codes that go with it: those of what is no
# request of a route among them.
CODES: Final = {
    400: ("invalid",),
    401: ("unauthorized",),
    403: ("forbidden",),
    404: ("not_found",),
    405: ("method_not_allowed",),
    409: ("conflict",),
    413: ("too_large",),
    422: ("key_reused",),
    429: ("rate_limited",),
    500: ("internal",),
    503: ("unavailable",),
    504: ("unknown",),
}
# Seconds to wait where an error names none.
RETRY_SECONDS: Final = 1


def problem(error: ChatError, **more: object) -> web.Response:
    """Return the answer for an error: its status, and its members beside RFC 9457's.

    Args:
        error: What went wrong.
        more: Further members.
    """
    wire = error.to_wire()
    if error.reason == KEY_REUSED:
        said = "Was used for another request."
        wire |= {
            "code": wire.pop("reason"),
            "message": f"{KEY_HEADER}: {said}",
            "fields": {KEY_HEADER: [said]},
        }
    status = STATUS.get(str(wire["code"]), 500)
    headers = {"Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.temporary:
        wait_ms = error.retry_after_ms or RETRY_SECONDS * 1000
        headers["Retry-After"] = str(math.ceil(wait_ms / 1000))
    return _answer(status, wire | more, headers)


def http_problem(error: web.HTTPException) -> web.Response:
    """Return a refusal of aiohttp's own in the same form: no route, wrong method."""
    phrase = HTTPStatus(error.status).phrase
    wire = {
        "code": phrase.lower().replace(" ", "_"),
        "message": f"{phrase}.",
        "temporary": False,
    }
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return _answer(error.status, wire, {"Cache-Control": "no-store", **kept})


def defect() -> web.Response:
    """Return the answer for what the server failed at; its log has the traceback."""
    return problem(InternalError("The server failed at this; it is in its log."))


def _answer(
    status: int, wire: dict[str, object], headers: dict[str, str]
) -> web.Response:
    body = {
        "type": f"about:blank#{wire['code']}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": wire["message"],
        **{name: one for name, one in wire.items() if name != "message"},
    }
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        headers={**headers, "Content-Type": CONTENT_TYPE},
    )
