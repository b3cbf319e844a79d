"""Requests for a WebSocket: a session's first transport, or its upgrade."""

from aiohttp import web

from realtime.engineio import responses
from realtime.engineio.aiohttp_upgrade import Detached, switch_protocols
from realtime.engineio.engine import Engine
from realtime.engineio.environ import Environ
from realtime.engineio.protocol import Reason
from realtime.engineio.responses import refuse
from realtime.engineio.session import Session
from realtime.engineio.websocket import WebSocketConnection


def accept(
    engine: Engine, request: web.Request, session: Session, headers: dict[str, str]
) -> web.StreamResponse:
    """Begin with the WebSocket that a session's handshake asks for."""
    engine.context.closing.abort_oldest_if_full()
    connection = WebSocketConnection(engine.context, session, is_upgrade=False)
    try:
        tail = switch_protocols(request, connection, headers)
    except ConnectionResetError:
        session.close(Reason.TRANSPORT_CLOSE)
        return refuse(responses.BAD_REQUEST)
    session.upgrade_to(connection)
    connection.data_received(tail)
    return Detached()


def upgrade(
    engine: Engine, request: web.Request, environ: Environ, sid: str
) -> web.StreamResponse:
    """Open a WebSocket that names a session: the upgrade, or one too many.

    Section "WebSocket": a second one must be closed. It is accepted first, since
    browsers tell pages nothing about a refused handshake.
    """
    session = engine.sessions.get(sid)
    if session is None or not session.connected:
        return refuse(responses.UNKNOWN_SID)
    is_wanted = (
        engine.options.allow_upgrades
        and session.polling is not None
        and not session.is_upgrading
    )
    engine.context.closing.abort_oldest_if_full()
    connection = WebSocketConnection(
        engine.context, session if is_wanted else None, is_upgrade=True
    )
    if is_wanted:
        session.begin_upgrade(connection)
    try:
        tail = switch_protocols(request, connection, engine.origins.headers(environ))
    except ConnectionResetError:
        session.cancel_upgrade(connection)
        return refuse(responses.BAD_REQUEST)
    if not is_wanted:
        connection.close()
    connection.data_received(tail)
    return Detached()
