"""From an HTTP request to the payload of the catalogue's request."""

import asyncio
import hashlib
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from realtime import json_codec
from realtime.errors import InvalidError, TooLargeError
from schemas.field_types import CLIENT_ID_PATTERN, ListOf, WholeNumber
from schemas.routes import CLIENT_ID, FIELD, PREFIX, Route

# Bytes of a body: the longest text, with all its mentions, takes a third.
BODY_BYTES: Final = 65_536
# Seconds for a body to arrive.
BODY_SECONDS: Final = 10.0
# Digits of the largest number that JSON's readers agree on.
_NUMBER: Final = re.compile(r"[0-9]{1,16}")
# Random bytes of a clientId of our own.
KEY_BYTES: Final = 16
# Bytes of a request's fingerprint.
FINGERPRINT_BYTES: Final = 8
# What reading a body raises if it is no HTTP, or its client is gone.
BROKEN: Final = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
KEY_HEADER: Final = "Idempotency-Key"

# Characters of a key: more than any library makes.
KEY_CHARACTERS: Final = 255


async def read_payload(
    request: web.Request, route: Route, prefix: str
) -> dict[str, Any]:
    """Return what the path, the query, the body and the headers say together.

    Raises:
        InvalidError: Something cannot be read; ``fields`` names it.
        TooLargeError: The body is too long.
    """
    payload = route.defaults | dict(_path_fields(request, route, prefix))
    if route.has_body:
        body, may_have = await _body(request), route.body_fields
        for name in body:
            if name not in may_have:
                raise invalid(name[:64], "There is no such field in the body.")
        for name in route.needs - body.keys():
            raise invalid(name, "This field is required.")
        payload |= body
    payload |= _query(request, route) | route.fixed
    if route.is_idempotent:
        payload[CLIENT_ID] = client_id(request.headers.get(KEY_HEADER))
    return payload


def fingerprint(request: web.Request, payload: dict[str, Any]) -> str:
    """Return 64 bits of a payload that a repeat must have too; empty without a key."""
    if KEY_HEADER not in request.headers:
        return ""
    said = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(said, digest_size=FINGERPRINT_BYTES).hexdigest()


def client_id(key: str | None) -> str:
    """Return the ``clientId`` for an ``Idempotency-Key``; one of our own if None.

    A key that is no ``clientId`` becomes one by its digest.

    Raises:
        InvalidError: It is empty, or too long.
    """
    if key is None:
        return secrets.token_urlsafe(KEY_BYTES)
    if not 1 <= len(key) <= KEY_CHARACTERS:
        raise invalid(KEY_HEADER, f"Must be 1 to {KEY_CHARACTERS} characters.")
    bare = key.strip().removeprefix('"').removesuffix('"')
    if CLIENT_ID_PATTERN.fullmatch(bare):
        return bare
    digest = hashlib.sha256(bare.encode("utf-8", "surrogateescape")).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _path_fields(
    request: web.Request, route: Route, prefix: str
) -> Iterator[tuple[str, Any]]:
    """Yield the fields of the path, each decoded once: a user id may have slashes."""
    # As it was sent: behind the prefix of a proxy that passes it on.
    raw = request.rel_url.raw_path.removeprefix(prefix + PREFIX).split("/")
    for part, said in zip(route.path.split("/"), raw, strict=True):
        if match := FIELD.fullmatch(part):
            name, text = match[1], unquote(said, errors="surrogateescape")
            listed = route.lists.get(name)
            value = _value(route, listed or name, text)
            yield (listed, [value]) if listed else (name, value)


async def _body(request: web.Request) -> dict[str, Any]:
    if not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise invalid("Content-Type", "Must be application/json.")
    try:
        found = json_codec.loads(await _read(request))
    except ValueError:
        raise invalid("body", "Must be JSON.") from None
    if not isinstance(found, dict):
        raise invalid("body", "Must be an object.")
    return found


async def _read(request: web.Request) -> bytes:
    data = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > BODY_BYTES:
                    raise TooLargeError(
                        f"A body may have {BODY_BYTES} bytes.", limit="api_body_bytes"
                    )
    except TimeoutError:
        raise invalid("body", "Did not arrive in time.") from None
    except BROKEN:
        raise invalid("body", "Did not arrive as HTTP has it.") from None
    return data


def _query(request: web.Request, route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in request.query.items():
        if name not in route.query:
            raise invalid(name[:64], "There is no such field.")
        if name in found:
            raise invalid(name, "Appears twice.")
        found[name] = _value(route, name, text)
    return found


def _value(route: Route, name: str, text: str) -> int | str:
    """Return a value of path or query as the payload has it."""
    field = route.asked.payload.fields[name]
    if isinstance(field, ListOf):
        field = field.item
    if not isinstance(field, WholeNumber):
        return text
    if not (text.isascii() and _NUMBER.fullmatch(text)):
        raise invalid(name, "Must be a whole number.")
    return int(text)


def invalid(name: str, said: str) -> InvalidError:
    """Return the error of a field, a header or the body, by its name."""
    name = name.encode("utf-8", "replace").decode()
    return InvalidError(f"{name}: {said}", fields={name: [said]})
