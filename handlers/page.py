"""The demo page: its document and its files, compressed where the browser likes it."""

import asyncio
import re
from pathlib import Path
from typing import IO, Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from realtime.engineio.attempts import BYTES_AN_ATTEMPT, LINE

# Read at a time: what one slow reader of a file costs in memory is a few of them.
CHUNK_BYTES: Final = 32_768

# One level of plain names: nothing outside the folder can be asked for, and no name
# that a file system refuses as too long (255 bytes).
ASSET: Final = r"/assets/{name:[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}}"

# Names with a hash of the content, as the build makes them.
HASHED: Final = re.compile(r".+-[A-Z0-9]{8}(\.[a-z0-9]+)+")

HOST: Final = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:]+\](:\d+)?")

POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
)

# Of the page that documents the API: it has pictures and symbols in its style sheet.
DOCS_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)

SAFE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # Asked for each time, answered with 304 while it is the same: a new build is
    # seen at the next reload.
    "Cache-Control": "no-cache",
}

# A year. What has another content has another name.
FOR_EVER: Final = "public, max-age=31536000, immutable"

NOT_BUILT: Final = (
    "The chatroom server runs. The demo page is not built: run `make page` (needs npm)."
    "\n"
)


class Page:
    """The built demo page, and the one that documents the API.

    Args:
        folder: With ``index.html``, ``api-docs.html`` and ``assets/``. Beside a file
            its compressed forms may lie, as ``.br`` and ``.gz``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Answer the page, or one line that says how to build it."""
        return self._document("index.html", _policy(request.host))

    async def api_docs(self, _request: web.Request) -> web.StreamResponse:
        """Answer the page that documents the API, by ``openapi.json`` beside it."""
        return self._document("api-docs.html", "; ".join(DOCS_POLICY))

    def _document(self, name: str, policy: str) -> web.StreamResponse:
        path = self._folder / name
        if not path.is_file():
            return web.Response(text=NOT_BUILT, headers=SAFE_HEADERS)
        return _File(path, headers={**SAFE_HEADERS, "Content-Security-Policy": policy})

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Answer a script, a style sheet or a picture of the page."""
        name = request.match_info["name"]
        path = self._folder / "assets" / name
        if not path.is_file():
            raise web.HTTPNotFound
        headers = {**SAFE_HEADERS, "Vary": "Accept-Encoding"}
        if HASHED.fullmatch(name):
            headers["Cache-Control"] = FOR_EVER
        return _File(path, headers=headers)


class _File(web.FileResponse):
    """A file, sent in pieces through the buffer of its connection.

    By ``sendfile`` it would go past the buffer, where it is noticed that a client does
    not read. The private name of aiohttp in use is this method's.
    """

    async def _sendfile(
        self, request: web.BaseRequest, fobj: IO[Any], offset: int, count: int
    ) -> AbstractStreamWriter:
        if (line := request.get(LINE)) is not None:
            line.charge(count / BYTES_AN_ATTEMPT)
        writer = await web.StreamResponse.prepare(self, request)
        if writer is None:
            raise ConnectionResetError("the client is gone")
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, fobj.seek, offset)
        while count > 0:
            chunk = await loop.run_in_executor(None, fobj.read, min(CHUNK_BYTES, count))
            if not chunk:
                # The file has become shorter; the client sees that something lacks.
                raise ConnectionResetError("the file has changed")
            count -= len(chunk)
            await writer.write(chunk)
            # aiohttp waits for each 64 KiB only.
            await writer.drain()
        return writer


def _policy(host: str) -> str:
    """Return the Content-Security-Policy of the page, reached as ``host``.

    Not every browser counts a WebSocket to the page's own host as ``'self'``.
    """
    sources = "'self'"
    if HOST.fullmatch(host):
        sources += f" ws://{host} wss://{host}"
    return "; ".join((*POLICY, f"connect-src {sources}"))
