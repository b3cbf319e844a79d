"""Errors of the API as problems, RFC 9457, with the error object of a socket's ack."""

import math
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web

from realtime.errors import ChatError, InternalError

CONTENT_TYPE: Final = "application/problem+json"

STATUS: Final = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "not_attending": 403,
    "conflict": 409,
    "too_large": 413,
    "rate_limited": 429,
    "unavailable": 503,
    # It may have been done: the same request with the same key settles it.
    "unknown": 504,
    "unknown_event": 404,
    "internal": 500,
}
# Seconds to wait where an error names none.
RETRY_SECONDS: Final = 1


def problem(error: ChatError) -> web.Response:
    """Return the answer for an error: its status, and its members beside RFC 9457's."""
    status = STATUS.get(error.code, 500)
    headers = {"Cache-Control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.temporary:
        wait_ms = error.retry_after_ms or RETRY_SECONDS * 1000
        headers["Retry-After"] = str(math.ceil(wait_ms / 1000))
    return _answer(status, error.to_wire(), headers)


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
