"""The HTTP endpoint: handshakes, polls, posts and upgrades, by the protocol's rules.

Sections named in docstrings are those of the Engine.IO protocol v4.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from realtime.addresses import Address
from realtime.engineio import protocol, responses
from realtime.engineio.aiohttp_upgrade import (
    Detached,
    is_websocket_handshake,
    switch_protocols,
)
from realtime.engineio.environ import Environ, read_environ
from realtime.engineio.hub import Hub
from realtime.engineio.origins import OriginPolicy
from realtime.engineio.polling import Polling
from realtime.engineio.protocol import PacketError, Reason
from realtime.engineio.responses import Refusal, refuse
from realtime.engineio.session import Session
from realtime.engineio.websocket import WebSocketConnection

# The one version of the protocol that is spoken, section "Query parameters".
_VERSION: Final = "4"


class Endpoint:
    """Answers every request to the Engine.IO path.

    Args:
        hub: The server's sessions.
        new_sid: Makes session ids.
    """

    def __init__(self, hub: Hub, new_sid: Callable[[], str]) -> None:
        self._hub = hub
        self._options = hub.options
        self._new_sid = new_sid
        self._origins = OriginPolicy(
            hub.options.cors_allowed_origins, credentials=hub.options.cors_credentials
        )
        #: Set when the server goes down: no new sessions then.
        self.is_closed = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Return the answer to any request."""
        environ = read_environ(request)
        if not self._origins.admits(environ):
            return refuse(responses.FORBIDDEN_ORIGIN)
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
        if request.method == "OPTIONS":
            return responses.preflight()
        query = request.query
        transport = query.get("transport")
        refusal = self._refusal(transport, query.get("EIO"), "j" in query)
        if refusal is not None:
            return refuse(refusal)
        sid = query.get("sid")
        wants_websocket = transport == "websocket"
        if wants_websocket and not is_websocket_handshake(request):
            return refuse(responses.BAD_REQUEST)
        if sid is None:
            return await self._open(request, environ, websocket=wants_websocket)
        if wants_websocket:
            return self._open_second(request, environ, sid)
        return await self._poll_or_post(request, sid)

    def _refusal(
        self, transport: str | None, version: str | None, jsonp: bool
    ) -> Refusal | None:
        """Section "Query parameters": what is missing or wrong is answered by 400."""
        if transport not in self._options.transports:
            return responses.UNKNOWN_TRANSPORT
        if version != _VERSION:
            return responses.BAD_VERSION
        # JSONP went with version 3 of the protocol: a script is no safe transport.
        return responses.BAD_REQUEST if jsonp else None

    # section "Handshake"

    async def _open(
        self, request: web.Request, environ: Environ, *, websocket: bool
    ) -> web.StreamResponse:
        if request.method != "GET":
            return refuse(responses.BAD_METHOD)
        if self.is_closed:
            return refuse(responses.SHUTTING_DOWN)
        hub = self._hub
        address = hub.addresses.find(
            request.remote, request.headers.getall("X-Forwarded-For", [])
        )
        full = self._is_full(address)
        if full is not None:
            return refuse(full)
        session = Session(hub, self._new_sid())
        session.address = address
        hub.addresses.enter(address)
        hub.sessions[session.sid] = session
        hub.heartbeat.start(session, hub.wheel.time())
        try:
            session.send_packet(self._handshake(session.sid, websocket=websocket))
            await hub.handshakes.wait()
            answer = await hub.connect(session, environ)
            if answer is not None and answer is not True:
                return responses.unauthorized(answer)
            if session.closed:
                # Closed by the handler itself, or out of time while it ran.
                hub.announce(session, Reason.SERVER_DISCONNECT)
                return refuse(responses.BAD_REQUEST)
            headers = responses.cookie_header(self._options.cookie, session.sid)
            session.connected = True
            if websocket:
                headers.update(self._origins.headers(environ))
                return self._accept(request, session, headers)
            return await self._payload(request, session.sid, session.polling, headers)
        finally:
            if not session.connected:
                session.close(Reason.TRANSPORT_ERROR)

    def _is_full(self, address: Address) -> Refusal | None:
        """Return what a stranger is told while there are too many of them."""
        here, limited = self._hub.addresses, self._hub.limited
        limit = self._options.address_unauthenticated
        if limit is not None and address.is_limited and address.strangers >= limit:
            limited["address_unauthenticated"] += 1
            return responses.ADDRESS_FULL
        limit = self._options.node_unauthenticated
        if limit is not None and here.strangers >= limit:
            limited["node_unauthenticated"] += 1
            return responses.NODE_FULL
        return None

    def _handshake(self, sid: str, *, websocket: bool) -> str:
        options = self._options
        can_upgrade = options.allow_upgrades and not websocket
        return protocol.encode_handshake(
            sid=sid,
            upgrades=(
                ["websocket"]
                if can_upgrade and "websocket" in options.transports
                else []
            ),
            ping_interval_ms=options.announced_interval_ms,
            ping_timeout_ms=options.ping_timeout_ms,
            max_payload=options.max_http_buffer_size,
        )

    def _accept(
        self, request: web.Request, session: Session, headers: dict[str, str]
    ) -> web.StreamResponse:
        self._hub.make_room()
        connection = WebSocketConnection(self._hub, session, is_upgrade=False)
        try:
            tail = switch_protocols(request, connection, headers)
        except ConnectionResetError:
            session.close(Reason.TRANSPORT_CLOSE)
            return refuse(responses.BAD_REQUEST)
        session.upgrade_to(connection)
        connection.data_received(tail)
        return Detached()

    # section "Upgrade"

    def _open_second(
        self, request: web.Request, environ: Environ, sid: str
    ) -> web.StreamResponse:
        """Open a WebSocket that names a session: the upgrade, or one too many.

        Section "WebSocket": a second one must be closed. It is accepted first, since
        browsers tell pages nothing about a refused handshake.
        """
        session = self._hub.sessions.get(sid)
        if session is None or not session.connected:
            return refuse(responses.UNKNOWN_SID)
        is_wanted = (
            self._options.allow_upgrades
            and session.polling is not None
            and not session.has_candidate
        )
        self._hub.make_room()
        connection = WebSocketConnection(
            self._hub, session if is_wanted else None, is_upgrade=True
        )
        if is_wanted:
            session.begin_upgrade(connection)
        try:
            tail = switch_protocols(request, connection, self._origins.headers(environ))
        except ConnectionResetError:
            session.give_up_upgrade(connection)
            return refuse(responses.BAD_REQUEST)
        if not is_wanted:
            connection.close()
        connection.data_received(tail)
        return Detached()

    # section "HTTP long-polling"

    async def _poll_or_post(self, request: web.Request, sid: str) -> web.StreamResponse:
        session = self._hub.sessions.get(sid)
        if session is None:
            return await self._poll_the_rest(request, sid)
        if not session.connected:
            return refuse(responses.BAD_REQUEST)
        if self._hub.heartbeat.is_overdue(session):
            session.time_out()
            return refuse(responses.UNKNOWN_SID)
        polling = session.polling
        if polling is None:
            return refuse(responses.BAD_REQUEST)
        if request.method == "GET":
            return await self._poll(request, session, polling)
        if request.method == "POST":
            return await self._post(request, session, polling)
        return refuse(responses.BAD_METHOD)

    async def _poll(
        self, request: web.Request, session: Session, polling: Polling
    ) -> web.StreamResponse:
        if polling.poll_active:
            session.close(Reason.TRANSPORT_ERROR)
            return refuse(responses.BAD_REQUEST)
        again = polling.take_repeat(request.query.get("t"))
        if again is not None:
            return await responses.payload(again, request, self._options, {})
        polling.poll_active = True
        try:
            must_wait = polling.is_empty and not session.is_probed
            if must_wait and not await polling.wait(request):
                # Nobody reads this answer; aiohttp wants one.
                session.close(Reason.TRANSPORT_ERROR)
                return refuse(responses.BAD_REQUEST)
            return await self._payload(request, session.sid, polling, {})
        finally:
            polling.poll_active = False

    async def _poll_the_rest(
        self, request: web.Request, sid: str
    ) -> web.StreamResponse:
        """Answer a GET for what was queued when the server closed the session."""
        rest = self._hub.lingering(sid)
        if rest is None or request.method != "GET":
            return refuse(responses.UNKNOWN_SID)
        return await self._payload(request, sid, rest, {})

    async def _payload(
        self,
        request: web.Request,
        sid: str,
        polling: Polling | None,
        headers: dict[str, str],
    ) -> web.StreamResponse:
        if polling is None:
            return refuse(responses.BAD_REQUEST)
        options = self._options
        body = polling.take_payload(
            options.max_poll_packets, options.max_http_buffer_size
        )
        polling.remember(request.query.get("t"), body, request.transport)
        if polling.is_empty:
            self._hub.unlinger(sid)
        return await responses.payload(body, request, options, headers)

    async def _post(
        self, request: web.Request, session: Session, polling: Polling
    ) -> web.StreamResponse:
        if polling.post_active:
            session.close(Reason.TRANSPORT_ERROR)
            return refuse(responses.BAD_REQUEST)
        polling.post_active = True
        try:
            body = await self._read_body(request)
            if isinstance(body, Refusal):
                too_large = body is responses.BODY_TOO_LARGE
                name = "payload_limit_bytes" if too_large else "body_seconds"
                self._hub.limited[name] += 1
                session.close(Reason.PARSE_ERROR)
                return refuse(body)
            if protocol.count_packets(body) > self._options.max_payload_packets:
                self._hub.limited["payload_packets"] += 1
            packets = protocol.decode_payload(body, self._options.max_payload_packets)
            for kind, data in packets:
                if session.paused:
                    await session.wait_unpaused()
                session.receive(kind, data)
        except (PacketError, web.RequestPayloadError):
            session.close(Reason.PARSE_ERROR)
            return refuse(responses.BAD_REQUEST)
        except ConnectionError:
            session.close(Reason.TRANSPORT_ERROR)
            return refuse(responses.BAD_REQUEST)
        finally:
            polling.post_active = False
        return responses.accepted()

    async def _read_body(self, request: web.Request) -> bytes | Refusal:
        """Return the body, or what to answer one that is too large or too slow."""
        limit = self._options.max_http_buffer_size
        if (request.content_length or 0) > limit:
            return responses.BODY_TOO_LARGE
        chunks = bytearray()
        try:
            async with asyncio.timeout(self._options.body_timeout):
                while chunk := await request.content.readany():
                    chunks += chunk
                    if len(chunks) > limit:
                        return responses.BODY_TOO_LARGE
        except TimeoutError:
            return responses.BODY_TOO_SLOW
        return bytes(chunks)
