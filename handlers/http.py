"""The plain HTTP routes: health for machines, the demo page for people."""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from handlers.hosts import Hosts
from handlers.page import ASSET, Page
from realtime.engineio.attempts import PROVEN

# Prometheus's text format, as its documentation names it.
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MetricsText = Callable[[], Awaitable[bytes]]

# Returns why the node cannot serve right now, one sentence a reason; empty: it can.
Readiness = Callable[[], Sequence[str]]


def add_routes(
    app: web.Application,
    *,
    page_dir: Path,
    not_ready: Readiness,
    warnings: Readiness = tuple,
    metrics: MetricsText,
    metrics_token: str | None,
    hosts: Hosts,
    prefix: str = "",
) -> None:
    """Add ``/healthz``, ``/readyz``, ``/metrics``, the page at ``/``, ``/api/docs``.

    With a slash at the end they lead to the same without it.

    Args:
        app: Where to add them.
        page_dir: Folder with ``index.html`` and ``assets/``. It is looked at with
            each request, so the page may be built while the server runs.
        not_ready: Asked by ``/readyz``; it must not wait for anything.
        warnings: As ``not_ready``, for what does not keep clients away.
        metrics: Returns the node's numbers in Prometheus's text format.
        metrics_token: What a scraper must bring; None: ``/metrics`` answers this
            machine only.
        hosts: The names that this machine may be called by for that.
        prefix: Path before all of them, without a slash at its end.
    """
    page = Page(page_dir)
    routes: dict[str, Handler] = {
        "/healthz": _healthz,
        "/readyz": _Readyz(not_ready, warnings).get,
        "/metrics": _Metrics(metrics, metrics_token, hosts).get,
    }
    for path, handler in routes.items():
        app.router.add_get(prefix + path, handler)
        app.router.add_get(f"{prefix}{path}/", _redirect(f"..{path}"))
    app.router.add_get(f"{prefix}/", page.index)
    app.router.add_get(f"{prefix}/api/docs", page.api_docs)
    app.router.add_get(prefix + ASSET, page.asset)
    if prefix:
        # The page's own addresses begin where it is.
        app.router.add_get(prefix, _redirect(f".{prefix[prefix.rindex('/') :]}/"))


def _redirect(to: str) -> Handler:
    """Return a handler that leads to a relative address, whatever stands before it."""

    async def lead(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPPermanentRedirect(to)

    return lead


async def _healthz(_request: web.Request) -> web.Response:
    """Answer 200 while the process serves requests at all."""
    return _status({"ok": True}, 200)


class _Readyz:
    """Says whether a load balancer should send clients here."""

    def __init__(self, not_ready: Readiness, warnings: Readiness) -> None:
        self._not_ready = not_ready
        self._warnings = warnings

    async def get(self, _request: web.Request) -> web.Response:
        """Answer 200, or 503 with the reasons; with warnings, if there are any."""
        told: dict[str, object] = {}
        if warnings := list(self._warnings()):
            told["warnings"] = warnings
        if reasons := list(self._not_ready()):
            return _status({"ready": False, "reasons": reasons, **told}, 503)
        return _status({"ready": True, **told}, 200)


class _Metrics:
    """Numbers for whoever may see them: they tell how busy the server is."""

    def __init__(self, text: MetricsText, token: str | None, hosts: Hosts) -> None:
        self._text = text
        self._token = token
        self._hosts = hosts

    async def get(self, request: web.Request) -> web.Response:
        """Answer the numbers, or 403."""
        if self._allows(request):
            request[PROVEN] = True
        else:
            raise web.HTTPForbidden(
                text="Metrics need `Authorization: Bearer <CHATROOM_METRICS_TOKEN>`,"
                " or no proxy and this machine if none is set.\n"
            )
        return web.Response(
            body=await self._text(),
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
        # And a page of a foreign name that leads to this machine is in its browser.
        named = self._hosts.allow(request.headers.get(hdrs.HOST))
        return named and not forwarded and _is_this_machine(request.remote)


def _is_this_machine(address: str | None) -> bool:
    if not address:
        return False
    found = ipaddress.ip_address(address)
    # Over a socket for both kinds 127.0.0.1 is ::ffff:127.0.0.1.
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _status(body: dict[str, object], status: int) -> web.Response:
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store"})
