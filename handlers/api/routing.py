"""The routes of the API, and the way of a request through them."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from handlers.access import require_access
from handlers.api.caller import Caller, Callers
from handlers.api.payload import read_payload
from handlers.api.problems import defect, http_problem, problem
from handlers.chat import ChatNamespace
from handlers.guard import load_payload
from realtime.engineio.attempts import PROVEN
from realtime.engineio.origin_names import OriginSet
from realtime.errors import (
    ChatError,
    NotAttendingError,
    NotMemberError,
    UnavailableError,
)
from schemas.catalog import REQUESTS, Access, Request
from schemas.routes import PREFIX, ROUTES, Route

# Requests under way at a node: each holds a body of up to 64 KB.
UNDER_WAY: Final = 200
SEND: Final = "send"
# The type of a message that nobody wrote; an API key alone may send one.
SYSTEM: Final = "system"
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
        return [
            *found,
            web.route("OPTIONS", anything, self._preflight),
            web.route("*", anything, self._unknown),
        ]

    def _entry(self, route: Route) -> Handler:
        async def entry(request: web.Request) -> web.StreamResponse:
            answer = await self._answer(request, route)
            answer.headers.update(self._shared(request))
            return answer

        return entry

    async def _answer(self, request: web.Request, route: Route) -> web.Response:
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

    async def _carried_out(self, request: web.Request, route: Route) -> web.Response:
        caller = await self._callers.find(request)
        given = await read_payload(request, route, self._prefix)
        caller.require(route, given.get("room"))
        asked = REQUESTS[route.request]
        services, user = self._namespace.services, caller.session.user
        if not caller.is_system:
            now = time.monotonic()
            services.rates.take(f"api {user}", asked.name, now)
            services.rates.take_of_user(user, now)
        request[PROVEN] = True
        payload = _loaded(asked, given, caller)
        if asked.access is not Access.ANYONE and not caller.is_system:
            # Nobody attends over HTTP: who belongs to the room may.
            await require_access(
                services, caller.session, payload["room"], Access.MEMBER
            )
        handler = getattr(self._namespace, f"on_{asked.name}").__wrapped__
        return _granted(route, await _run(handler, self._namespace, caller, payload))

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
                "Retry-After, Idempotent-Replayed"
            )
        return headers

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        """Answer a browser that asks what a page may do: users' tokens, no keys."""
        headers = self._shared(request)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
                "Access-Control-Allow-Headers": (
                    "Authorization, Content-Type, Idempotency-Key"
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


def _loaded(asked: Request, given: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """Load a payload; a message is a text unless it says so, or the system's."""
    if asked.name != SEND:
        return load_payload(asked, (given,))
    given.setdefault("type", "text")
    is_systems = caller.is_system and given["type"] == SYSTEM
    loaded = load_payload(asked, ({**given, "type": "text"} if is_systems else given,))
    return {**loaded, "type": SYSTEM} if is_systems else loaded


async def _run(
    handler: Callable[..., Awaitable[Any]],
    namespace: ChatNamespace,
    caller: Caller,
    payload: dict[str, Any],
) -> dict[str, Any]:
    try:
        return await handler(namespace, caller.session, payload) or {}
    except NotAttendingError:
        raise NotMemberError("You are not a member of this room.") from None


def _granted(route: Route, answer: dict[str, Any]) -> web.Response:
    is_repeated = answer.get("duplicate") is True
    headers = {"Cache-Control": "no-store", "Content-Type": "application/json"}
    if is_repeated:
        headers["Idempotent-Replayed"] = "true"
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
