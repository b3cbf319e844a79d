"""HTTP answers of the Engine.IO endpoint."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from realtime.engineio.options import Cookie, Options


class Refusal(NamedTuple):
    """The answer to a refused request; code and message as in Node's Engine.IO."""

    status: int
    code: int
    message: str
    retry_after_seconds: int = 0


UNKNOWN_TRANSPORT: Final = Refusal(400, 0, "Transport unknown")
UNKNOWN_SID: Final = Refusal(400, 1, "Session ID unknown")
BAD_METHOD: Final = Refusal(400, 2, "Bad handshake method")
BAD_REQUEST: Final = Refusal(400, 3, "Bad request")
FORBIDDEN_ORIGIN: Final = Refusal(400, 3, "Origin is not accepted")
BAD_VERSION: Final = Refusal(400, 5, "Unsupported protocol version")
BODY_TOO_LARGE: Final = Refusal(413, 3, "Payload too large")
BODY_TOO_SLOW: Final = Refusal(408, 3, "Request body took too long")
SHUTTING_DOWN: Final = Refusal(503, 3, "Server is shutting down", 1)
# By then what others began is authenticated, or was sent away.
ADDRESS_FULL: Final = Refusal(429, 3, "Too many connections of your address", 5)
NODE_FULL: Final = Refusal(503, 3, "Too many connections", 5)

# Polls and their answers must not be kept by any cache.
_NO_STORE: Final = {"Cache-Control": "no-store"}
# Answers of more bytes than this are compressed off the event loop: level 6 takes
# about a millisecond for 64 KiB.
_COMPRESS_IN_THREAD_BYTES: Final = 65_536
_COMPRESSION_LEVEL: Final = 6


def refuse(refusal: Refusal) -> web.Response:
    """Return the answer to a request that the protocol does not allow."""
    text = json.dumps({"code": refusal.code, "message": refusal.message})
    wait_seconds = refusal.retry_after_seconds
    return web.Response(
        status=refusal.status,
        text=text,
        content_type="application/json",
        headers={"Retry-After": str(wait_seconds)} if wait_seconds else None,
    )


def unauthorized(value: object) -> web.Response:
    """Return the answer to a handshake that the connect handler refused."""
    text = json.dumps(value if value else "Unauthorized", default=str)
    return web.Response(status=401, text=text, content_type="application/json")


def accepted() -> web.Response:
    """Return the answer to a POST: the string ``ok``, section "Sending data"."""
    return web.Response(text="ok", headers=_NO_STORE)


def preflight() -> web.Response:
    """Return the answer to OPTIONS; the CORS headers are added to it."""
    return web.Response(text="OK")


async def payload(
    body: bytes, request: web.Request, options: Options, headers: Mapping[str, str]
) -> web.Response:
    """Return a poll's answer, compressed if it is long and the client can read it."""
    all_headers = {
        **_NO_STORE,
        **headers,
        "Content-Type": "text/plain; charset=UTF-8",
    }
    if options.http_compression and len(body) >= options.compression_threshold:
        encoding = _accepted_encoding(request.headers.get("Accept-Encoding", ""))
        if encoding is not None:
            if len(body) > _COMPRESS_IN_THREAD_BYTES:
                body = await asyncio.to_thread(_compress, encoding, body)
            else:
                body = _compress(encoding, body)
            all_headers["Content-Encoding"] = encoding
    return web.Response(body=body, headers=all_headers)


def _accepted_encoding(header: str) -> str | None:
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        refused = parameters.replace(" ", "") in ("q=0", "q=0.0")
        if name.strip() in ("gzip", "deflate") and not refused:
            return name.strip()
    return None


def _compress(encoding: str, body: bytes) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body, _COMPRESSION_LEVEL)
    return zlib.compress(body, _COMPRESSION_LEVEL)


def cookie_header(cookie: Cookie, sid: str) -> dict[str, str]:
    """Return the ``Set-Cookie`` header of a handshake, if a cookie is configured.

    Args:
        cookie: A name, or a mapping with ``name`` and attributes whose values are
            texts, True for an attribute without a value, or callables of either.
        sid: The cookie's value.
    """
    if not cookie:
        return {}
    if isinstance(cookie, str):
        cookie = {"name": cookie, "path": "/", "SameSite": "Lax"}
    parts = [f"{cookie.get('name', 'io')}={sid}"]
    for name, value in cookie.items():
        attribute = value() if callable(value) else value
        if name == "name" or attribute is False:
            continue
        parts.append(name if attribute is True else f"{name}={attribute}")
    return {"Set-Cookie": "; ".join(parts)}
