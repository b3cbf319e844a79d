"""The plain HTTP routes: health for machines, the demo page for people."""

import hmac
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web

# Prometheus's text format, as its documentation names it.
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MetricsText = Callable[[], bytes]

# Returns why the node cannot serve right now, one sentence a reason; empty: it can.
Readiness = Callable[[], Sequence[str]]

LOCAL: Final = frozenset({"127.0.0.1", "::1"})

# One level of plain names: nothing outside the folder can be asked for, and no name
# that a file system refuses as too long (255 bytes).
ASSET: Final = r"/assets/{name:[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}}"

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

NOT_BUILT: Final = (
    "The chatroom server runs. The demo page is not built: run `make page` (needs npm)."
    "\n"
)


def add_routes(
    app: web.Application,
    *,
    page_dir: Path,
    not_ready: Readiness,
    metrics: MetricsText,
    metrics_token: str | None,
) -> None:
    """Add ``/healthz``, ``/readyz``, ``/metrics`` and the page at ``/``.

    Args:
        app: Where to add them.
        page_dir: Folder with ``index.html`` and ``assets/``. It is looked at with
            each request, so the page may be built while the server runs.
        not_ready: Asked by ``/readyz``; it must not wait for anything.
        metrics: Returns the node's numbers in Prometheus's text format.
        metrics_token: What a scraper must bring; None: ``/metrics`` answers this
            machine only.
    """
    page = _Page(page_dir)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _Readyz(not_ready).get)
    app.router.add_get("/metrics", _Metrics(metrics, metrics_token).get)
    app.router.add_get("/", page.index)
    app.router.add_get(ASSET, page.asset)


async def _healthz(_request: web.Request) -> web.Response:
    """Answer 200 while the process serves requests at all."""
    return _status({"ok": True}, 200)


class _Readyz:
    """Says whether a load balancer should send clients here."""

    def __init__(self, not_ready: Readiness) -> None:
        self._not_ready = not_ready

    async def get(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with the reasons."""
        reasons = list(self._not_ready())
        if reasons:
            return _status({"ready": False, "reasons": reasons}, 503)
        return _status({"ready": True}, 200)


class _Metrics:
    """Numbers for whoever may see them: they tell how busy the server is."""

    def __init__(self, text: MetricsText, token: str | None) -> None:
        self._text = text
        self._token = token

    async def get(self, request: web.Request) -> web.Response:
        """Answer the numbers, or 403."""
        if not self._allows(request):
            raise web.HTTPForbidden(
                text="Metrics need `Authorization: Bearer <CHATROOM_METRICS_TOKEN>`,"
                " or no proxy and this machine if none is set.\n"
            )
        return web.Response(
            body=self._text(),
            headers={"Content-Type": METRICS_TYPE, "Cache-Control": "no-store"},
        )

    def _allows(self, request: web.Request) -> bool:
        if self._token is not None:
            # aiohttp hands on bytes that are no UTF-8 as surrogates.
            given = request.headers.get("Authorization", "").encode("utf-8", "replace")
            return hmac.compare_digest(given, f"Bearer {self._token}".encode())
        # A proxy on this machine would make everybody look local.
        forwarded = "X-Forwarded-For" in request.headers or (
            "Forwarded" in request.headers
        )
        return request.remote in LOCAL and not forwarded


def _status(body: dict[str, object], status: int) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})


class _Page:
    """The built demo page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def index(self, request: web.Request) -> web.StreamResponse:
        """Answer the page, or one line that says how to build it."""
        path = self._folder / "index.html"
        if not path.is_file():
            return web.Response(text=NOT_BUILT, headers=SAFE_HEADERS)
        headers = {**SAFE_HEADERS, "Content-Security-Policy": _policy(request.host)}
        return web.FileResponse(path, headers=headers)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """Answer a script, a style sheet or a picture of the page."""
        path = self._folder / "assets" / request.match_info["name"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=SAFE_HEADERS)


def _policy(host: str) -> str:
    """Return the Content-Security-Policy of the page, reached as ``host``.

    Not every browser counts a WebSocket to the page's own host as ``'self'``.
    """
    sources = "'self'"
    if HOST.fullmatch(host):
        sources += f" ws://{host} wss://{host}"
    return "; ".join((*POLICY, f"connect-src {sources}"))
