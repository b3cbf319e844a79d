"""The routes of the API, and the way of a request through them."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from handlers.access import require_access
from handlers.api import asyncapi, openapi
from handlers.api.caller import Caller, Callers
from handlers.api.pages import next_link
from handlers.api.payload import KEY_HEADER, fingerprint, invalid, read_payload
from handlers.api.problems import defect, http_problem, problem
from handlers.api.quotas import quota_fields, violated
from handlers.api.requests import ApiRequests
from handlers.api.uploads import ImageReader
from handlers.chat import ChatNamespace
from handlers.guard import Payload, load_payload
from realtime.engineio.attempts import PROVEN
from realtime.engineio.origin_names import OriginSet
from realtime.errors import ChatError, RateLimitedError, UnavailableError
from schemas.catalog import Access, Request
from schemas.routes import PREFIX, ROUTES, Route

# Requests under way at a node: each holds a body of up to 64 KB.
UNDER_WAY: Final = 200
# When to ask again if there are as many, in milliseconds.
BUSY_RETRY_MS: Final = 500
_PREFLIGHT_SECONDS: Final = "600"

_logger = logging.getLogger(__name__)


class Api:
    """Carries the routes' requests out, by the handlers of the namespace.

    Args:
        namespace: Has the handlers.
        callers: Finds out who asks.
        origins: Pages of these may ask with a user's token; None: of this server only.
        prefix: Path before all routes, without a slash at its end.
    """

    def __init__(
        self,
        namespace: ChatNamespace,
        callers: Callers,
        *,
        origins: OriginSet | None,
        prefix: str,
    ) -> None:
        self._namespace = namespace
        self._callers = callers
        self._requests = ApiRequests(namespace)
        self._images = ImageReader(namespace.services.images)
        self._origins = origins
        self._prefix = prefix
        self.under_way = 0

    def routes(self) -> list[web.RouteDef]:
        """Return all routes, with what answers a browser's question before."""
        found = [
            web.route(
                each.method, self._prefix + PREFIX + _pattern(each), self._entry(each)
            )
            for each in ROUTES
        ]
        anything = f"{self._prefix}{PREFIX}/{{rest:.*}}"
        documents = (
            web.get(f"{self._prefix}{PREFIX}/{name}", self._document(made))
            for name, made in (
                ("openapi.json", openapi.document),
                ("asyncapi.json", asyncapi.document),
            )
        )
        return [
            *found,
            *documents,
            web.route("OPTIONS", anything, self._preflight),
            web.route("*", anything, self._unknown),
        ]

    def _entry(self, route: Route) -> Handler:
        async def entry(request: web.Request) -> web.StreamResponse:
            answer = await self._answer(request, route)
            answer.headers.update(self._shared(request))
            return answer

        return entry

    def _document(self, made: Callable[[], bytes]) -> Handler:
        async def entry(request: web.Request) -> web.StreamResponse:
            # The first time it takes a twentieth of a second, beside the event loop.
            body = await asyncio.to_thread(made)
            headers = {"Cache-Control": "no-cache", **self._shared(request)}
            return web.Response(
                body=body, content_type="application/json", headers=headers
            )

        return entry

    async def _answer(self, request: web.Request, route: Route) -> web.StreamResponse:
        if self.under_way >= UNDER_WAY:
            busy = UnavailableError(
                "The node is busy; ask again.",
                retry_after_ms=BUSY_RETRY_MS,
                limit="api_requests",
            )
            return self._refused(route, busy)
        self.under_way += 1
        try:
            return await self._carried_out(request, route)
        except ChatError as error:
            return self._refused(route, error)
        except Exception:
            _logger.exception("%s of the API failed", route.request)
            return defect()
        finally:
            self.under_way -= 1

    async def _carried_out(
        self, request: web.Request, route: Route
    ) -> web.StreamResponse:
        caller = await self._callers.find(request)
        try:
            answer = await self._asked(request, route, caller)
        except RateLimitedError as error:
            return self._limited(route, caller, error)
        if not caller.is_system:
            services = self._namespace.services
            answer.headers.update(
                quota_fields(services, caller.session, route.asked.name)
            )
        return answer

    async def _asked(
        self, request: web.Request, route: Route, caller: Caller
    ) -> web.StreamResponse:
        given = await read_payload(request, route, self._prefix)
        asked = route.asked
        caller.require(route, given.get("room"))
        if route.is_idempotent and caller.key and KEY_HEADER not in request.headers:
            # A backend asks again whenever an answer is lost.
            raise invalid(KEY_HEADER, "Is needed with an API key.")
        services, user = self._namespace.services, caller.session.user
        if not caller.is_system:
            now = time.monotonic()
            services.rates.take(caller.session.sid, asked.name, now)
            services.rates.take_of_user(user, now)
        request[PROVEN] = True
        payload = load_payload(asked, (given,))
        if route.is_upload:
            payload["image"] = await self._images.read(request)
        if route.is_idempotent:
            caller.session.fingerprint = fingerprint(request, payload)
        await self._require_access(route, asked, caller, payload)
        if route.is_download:
            return await self._requests.jobs.download(request, payload)
        answer = await self._requests.carry_out(asked, caller, payload)
        return _granted(request, route, answer)

    async def _require_access(
        self, route: Route, asked: Request, caller: Caller, payload: Payload
    ) -> None:
        """Let a request pass that no script judges; who sends is judged by one."""
        services, access = self._namespace.services, asked.access
        if caller.is_system:
            # `room` looks for itself.
            is_read = route.method == hdrs.METH_GET and asked.name != "room"
            if is_read and "room" in payload:
                await self._requests.require_room(payload["room"])
            return
        # Nobody attends over HTTP: who belongs to the room may. What costs before the
        # script runs is for members only.
        is_costly = "image" in payload or services.moderation is not None
        if access is Access.MEMBER or (access is Access.ATTENDING and is_costly):
            await require_access(
                services, caller.session, payload["room"], Access.MEMBER
            )

    def _limited(
        self, route: Route, caller: Caller, error: RateLimitedError
    ) -> web.Response:
        """Refuse what was asked too often, with the policy that it was by."""
        self._namespace.count(route.request, error)
        services, name = self._namespace.services, route.asked.name
        found = violated(services, caller.session, name, error)
        if found is None:
            return problem(error)
        policy, fields = found
        answer = problem(error, **{"violated-policies": [policy]})
        answer.headers.update(fields)
        return answer

    def _refused(self, route: Route, error: ChatError) -> web.Response:
        self._namespace.count(route.request, error)
        return problem(error)

    def _shared(self, request: web.Request) -> dict[str, str]:
        """Return what lets a page of an allowed origin read an answer."""
        if self._origins is None:
            return {}
        headers = {"Vary": "Origin"}
        origin = request.headers.get(hdrs.ORIGIN)
        if origin and origin in self._origins:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = (
                "Link, Retry-After, Idempotent-Replayed, RateLimit, RateLimit-Policy"
            )
        return headers

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser that asks what a page may do: users' tokens, no keys."""
        headers = self._shared(request)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
                "Access-Control-Allow-Headers": (
                    f"Authorization, Content-Type, {KEY_HEADER}"
                ),
                "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
            }
        return web.Response(status=204, headers=headers)

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        """Answer what is no route: whether it is one by another method."""
        parts = request.rel_url.raw_path.removeprefix(self._prefix + PREFIX).split("/")
        allowed = sorted({each.method for each in ROUTES if _matches(each, parts)})
        if allowed:
            return http_problem(web.HTTPMethodNotAllowed(request.method, allowed))
        return http_problem(web.HTTPNotFound())


def api_routes(
    namespace: ChatNamespace,
    callers: Callers,
    *,
    origins: OriginSet | None = None,
    prefix: str = "",
) -> list[web.RouteDef]:
    """Return the routes of the API; arguments as of :class:`Api`."""
    return Api(namespace, callers, origins=origins, prefix=prefix).routes()


def _granted(
    request: web.Request, route: Route, answer: dict[str, Any]
) -> web.Response:
    is_repeated = answer.get("duplicate") is True
    headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if is_repeated:
        headers["Idempotent-Replayed"] = "true"
    if link := next_link(route.request, request.query, answer):
        headers["Link"] = link
    return web.Response(
        status=200 if is_repeated else route.created,
        body=orjson.dumps(answer),
        headers=headers,
    )


def _pattern(route: Route) -> str:
    """Return a route's path for aiohttp, whose fields take one part of any text."""
    return "/".join(
        part[:-1] + ":[^/]+}" if part.startswith("{") else part
        for part in route.path.split("/")
    )


def _matches(route: Route, parts: list[str]) -> bool:
    wanted = route.path.split("/")
    return len(wanted) == len(parts) and all(
        want.startswith("{") or want == part
        for want, part in zip(wanted, parts, strict=True)
    )
