"""The HTTP endpoint: which requests the protocol allows, and who answers them.

Sections named in docstrings are those of the Engine.IO protocol v4.
"""

from typing import Final

from aiohttp import web

from realtime.engineio import polling_requests, responses, websocket_requests
from realtime.engineio.aiohttp_upgrade import Detached, is_websocket_handshake
from realtime.engineio.attempts import PROVEN, REQUEST_COST
from realtime.engineio.engine import Engine
from realtime.engineio.environ import Environ, read_environ
from realtime.engineio.handshake import open_session
from realtime.engineio.responses import Refusal, refuse

# The one version of the protocol that is spoken, section "Query parameters".
_VERSION: Final = "4"


class Endpoint:
    """Answers every request to the Engine.IO path.

    Args:
        engine: The server's parts.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._origins = engine.origins
        self._trusts = engine.admission.addresses.is_trusted
        self._transports = engine.options.transports

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return the answer to any request."""
        environ = read_environ(request, self._trusts)
        why = self._origins.refusal(environ)
        if why:
            refusal = responses.FORBIDDEN_ORIGIN._replace(message=why)
            return refuse(
                refusal if await self._enter(request) else responses.NODE_FULL
            )
        response = await self._route(request, environ)
        if not isinstance(response, Detached):
            response.headers.update(self._origins.headers(environ))
            if "Upgrade" in request.headers:
                # The client may have sent frames already; they are no HTTP requests.
                response.force_close()
        return response

    async def _route(
        self, request: web.Request, environ: Environ
    ) -> web.StreamResponse:
        query = request.query
        transport = query.get("transport")
        sid = query.get("sid")
        wants_websocket = transport == "websocket"
        refusal = self._refusal(transport, query.get("EIO"), "j" in query)
        if wants_websocket and refusal is None and not is_websocket_handshake(request):
            refusal = responses.BAD_REQUEST
        if sid is None and refusal is None and request.method == "GET":
            return await open_session(
                self._engine, request, environ, websocket=wants_websocket
            )
        if not await self._enter(request):
            return refuse(responses.NODE_FULL)
        if request.method == "OPTIONS":
            return responses.preflight()
        if refusal is not None:
            return refuse(refusal)
        if sid is None:
            return refuse(responses.BAD_METHOD)
        if wants_websocket:
            return websocket_requests.upgrade(self._engine, request, environ, sid)
        return await polling_requests.answer(self._engine, request, sid)

    async def _enter(self, request: web.Request) -> bool:
        """Take a turn, unless it is a user's session that asks; False: it never came.

        A handshake takes one of its own.
        """
        admission = self._engine.admission
        session = self._engine.sessions.get(request.query.get("sid", ""))
        if session is None:
            address = admission.address_of(request)
            return await admission.line_of(address).enter(address.name, REQUEST_COST)
        if not session.is_authenticated:
            return await admission.spend(session, REQUEST_COST)
        request[PROVEN] = True
        return True

    def _refusal(
        self, transport: str | None, version: str | None, jsonp: bool
    ) -> Refusal | None:
        """Section "Query parameters": what is missing or wrong is answered by 400."""
        if transport not in self._transports:
            return responses.UNKNOWN_TRANSPORT
        if version != _VERSION:
            return responses.BAD_VERSION
        # JSONP went with version 3 of the protocol: a script is no safe transport.
        return responses.BAD_REQUEST if jsonp else None
