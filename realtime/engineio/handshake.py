"""Section "Handshake" of the Engine.IO protocol v4: how sessions begin."""

from aiohttp import web

from realtime.engineio import (
    polling_requests,
    protocol,
    responses,
    websocket_requests,
)
from realtime.engineio.engine import Engine
from realtime.engineio.environ import Environ
from realtime.engineio.options import Options
from realtime.engineio.protocol import Reason
from realtime.engineio.responses import refuse
from realtime.engineio.session import Session


async def open_session(
    engine: Engine, request: web.Request, environ: Environ, *, websocket: bool
) -> web.StreamResponse:
    """Answer a GET that asks for a session, if its client may come in."""
    admission, dispatcher = engine.admission, engine.dispatcher
    address = admission.address_of(request)
    line = admission.line_of(address)
    if not admission.is_closed and not await line.enter(address.name):
        return refuse(responses.NODE_FULL)
    refusal = admission.refusal(address)
    if refusal is not None:
        return refuse(refusal)
    session = Session(engine.context, engine.new_sid())
    admission.add(session, address, line)
    engine.sessions[session.sid] = session
    engine.context.heartbeat.start(session)
    try:
        session.send_packet(
            _open_packet(engine.options, session.sid, websocket=websocket)
        )
        await admission.handshakes.enter()
        answer = await dispatcher.connect(session, environ)
        if answer is not None and answer is not True:
            return responses.unauthorized(answer)
        if session.closed:
            # Closed by the handler itself, or out of time while it ran.
            dispatcher.announce_disconnect(session, Reason.SERVER_DISCONNECT)
            return refuse(responses.BAD_REQUEST)
        headers = responses.cookie_header(engine.options.cookie, session.sid)
        session.connected = True
        if websocket:
            headers.update(engine.origins.headers(environ))
            return websocket_requests.accept(engine, request, session, headers)
        return await polling_requests.payload(
            engine, request, session.sid, session.polling, headers
        )
    finally:
        if not session.connected:
            session.close(Reason.TRANSPORT_ERROR)


def _open_packet(options: Options, sid: str, *, websocket: bool) -> str:
    can_upgrade = options.allow_upgrades and not websocket
    return protocol.encode_handshake(
        sid=sid,
        upgrades=(
            ["websocket"] if can_upgrade and "websocket" in options.transports else []
        ),
        ping_interval_ms=options.announced_interval_ms,
        ping_timeout_ms=options.ping_timeout_ms,
        max_payload=options.max_http_buffer_size,
    )
