"""``GET /images/<sha256>.<ext>?expires=…&signature=…``."""

import asyncio
from typing import Final

from aiohttp import web

from realtime.engineio.attempts import PROVEN
from realtime.engineio.origin_names import OriginSet
from realtime.errors import ChatError, ForbiddenError, NotFoundError
from realtime.images.decode import EXTENSIONS
from realtime.images.service import Image, Images
from realtime.images.signed_urls import NAME_PATTERN

# Time for one image: 8 MiB at 28 KB/s, a poor mobile connection.
SEND_SECONDS: Final = 300.0

_MIMES: Final = {extension: mime for mime, extension in EXTENSIONS.items()}


def image_routes(
    images: Images, *, prefix: str = "", origins: OriginSet | None = None
) -> list[web.RouteDef]:
    """Return the routes that serve images to whoever holds a valid address.

    Args:
        images: They are read from here.
        prefix: Path before all of them, without a slash at its end.
        origins: Those of other pages whose scripts may read the bytes.
    """

    async def get(request: web.Request) -> web.StreamResponse:
        shared = _shared_headers(request.headers.get("Origin"), origins)
        return await _get(request, images, shared)

    return [web.get(f"{prefix}/images/{{name:{NAME_PATTERN}}}", get)]


async def _get(
    request: web.Request, images: Images, shared: dict[str, str]
) -> web.StreamResponse:
    name, query = request.match_info["name"], request.query
    try:
        async with images.read(
            name,
            expires=query.get("expires", ""),
            signature=query.get("signature", ""),
        ) as image:
            request[PROVEN] = True
            return await _send(request, name, image, shared)
    except ChatError as error:
        return _refuse(error, shared)


def _shared_headers(origin: str | None, origins: OriginSet | None) -> dict[str, str]:
    """Return what lets a page of another origin read the bytes: canvas, ``fetch``.

    Not what lets it show them: that needs the address only.
    """
    if origins is None:
        return {}
    # Caches must not give one page the answer that another one got.
    headers = {"Vary": "Origin"}
    if origin and origin in origins:
        headers["Access-Control-Allow-Origin"] = origin
    return headers


async def _send(
    request: web.Request, name: str, image: Image, shared: dict[str, str]
) -> web.StreamResponse:
    headers = _headers(name, image.valid_seconds) | shared
    response = web.StreamResponse(headers=headers)
    etag = f'"{name}"'
    response.headers["ETag"] = etag
    if request.headers.get("If-None-Match") == etag:
        response.set_status(304)
        await response.prepare(request)
        return response
    response.content_length = image.file.size
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        async with asyncio.timeout(SEND_SECONDS):
            async for chunk in image.file.chunks:
                await response.write(chunk)
            await response.write_eof()
    except (ChatError, TimeoutError, ConnectionError):
        # The headers are out: only a cut connection tells that the rest is missing.
        # Or the client has left: no error of ours.
        if request.transport is not None:
            request.transport.abort()
    return response


def _headers(name: str, valid_seconds: int) -> dict[str, str]:
    """Return headers by which the bytes can be nothing but an image.

    Users chose the bytes, and they are served from the server's own origin: no
    guessing of types, no script, no frame. The content never changes under its name.
    """
    return {
        "Content-Type": _MIMES[name.rpartition(".")[2]],
        "Content-Disposition": f'inline; filename="{name}"',
        "Cache-Control": f"private, max-age={valid_seconds}, immutable",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _refuse(error: ChatError, shared: dict[str, str]) -> web.Response:
    status = 503
    if isinstance(error, ForbiddenError):
        status = 403
    elif isinstance(error, NotFoundError):
        status = 404
    return web.json_response(
        {"ok": False, "error": error.to_wire()},
        status=status,
        headers={
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **shared,
        },
    )
