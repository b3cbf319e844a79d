"""Section "HTTP long-polling" of the Engine.IO protocol v4: polls and posts."""

import asyncio

from aiohttp import web

from realtime.engineio import protocol, responses
from realtime.engineio.engine import Engine
from realtime.engineio.polling import Polling
from realtime.engineio.protocol import PacketError, Reason
from realtime.engineio.responses import Refusal, refuse
from realtime.engineio.session import Session


async def answer(engine: Engine, request: web.Request, sid: str) -> web.StreamResponse:
    """Return the answer to a GET or POST that names a session."""
    session = engine.sessions.get(sid)
    if session is None:
        return await _poll_unfetched(engine, request, sid)
    if not session.connected:
        return refuse(responses.BAD_REQUEST)
    if engine.context.heartbeat.is_overdue(session):
        session.time_out()
        return refuse(responses.UNKNOWN_SID)
    polling = session.polling
    if polling is None:
        return refuse(responses.BAD_REQUEST)
    if request.method == "GET":
        return await _poll(engine, request, session, polling)
    if request.method == "POST":
        return await _post(engine, request, session, polling)
    return refuse(responses.BAD_METHOD)


async def _poll(
    engine: Engine, request: web.Request, session: Session, polling: Polling
) -> web.StreamResponse:
    if polling.poll_active:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(responses.BAD_REQUEST)
    again = polling.take_repeat(request.query.get("t"))
    if again is not None:
        return await responses.payload(again, request, engine.options, {})
    polling.poll_active = True
    try:
        must_wait = polling.is_empty and not session.is_probed
        if must_wait and not await polling.wait(request):
            # Nobody reads this answer; aiohttp wants one.
            session.close(Reason.TRANSPORT_ERROR)
            return refuse(responses.BAD_REQUEST)
        return await payload(engine, request, session.sid, polling, {})
    finally:
        polling.poll_active = False


async def _poll_unfetched(
    engine: Engine, request: web.Request, sid: str
) -> web.StreamResponse:
    """Answer a GET for what was queued when the server closed the session."""
    unfetched = engine.context.unfetched.get(sid)
    if unfetched is None or request.method != "GET":
        return refuse(responses.UNKNOWN_SID)
    return await payload(engine, request, sid, unfetched, {})


async def payload(
    engine: Engine,
    request: web.Request,
    sid: str,
    polling: Polling | None,
    headers: dict[str, str],
) -> web.StreamResponse:
    """Return the answer that has what waits for a session's poll.

    Args:
        engine: The server's parts.
        request: The poll, or the handshake of a polling session.
        sid: The session's id.
        polling: Its transport; None: it has been upgraded meanwhile.
        headers: Of the answer, beside the usual ones.
    """
    if polling is None:
        return refuse(responses.BAD_REQUEST)
    options = engine.options
    body = polling.take_payload(options.max_poll_packets, options.max_http_buffer_size)
    polling.remember(request.query.get("t"), body, request.transport)
    if polling.is_empty:
        engine.context.unfetched.drop(sid)
    return await responses.payload(body, request, options, headers)


async def _post(
    engine: Engine, request: web.Request, session: Session, polling: Polling
) -> web.StreamResponse:
    if polling.post_active:
        session.close(Reason.TRANSPORT_ERROR)
        return refuse(responses.BAD_REQUEST)
    polling.post_active = True
    try:
        body = await _read_body(engine, request, session)
        if isinstance(body, Refusal):
            session.close(Reason.PARSE_ERROR)
            return refuse(body)
        if protocol.count_packets(body) > engine.options.max_payload_packets:
            engine.limited["payload_packets"] += 1
        packets = protocol.decode_payload(body, engine.options.max_payload_packets)
        for kind, data in packets:
            session.take(polling.allowance)
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


async def _read_body(
    engine: Engine, request: web.Request, session: Session
) -> bytes | Refusal:
    """Return the body, or what to answer one that is too large or too slow."""
    options, held = engine.options, 0
    limit = options.max_http_buffer_size
    if not session.is_authenticated:
        limit = options.first_packet_bytes
    chunks = bytearray()
    if (request.content_length or 0) > limit:
        engine.limited["payload_limit_bytes"] += 1
        return responses.BODY_TOO_LARGE
    try:
        async with asyncio.timeout(options.body_timeout):
            while chunk := await request.content.readany():
                chunks += chunk
                if len(chunks) > limit:
                    engine.limited["payload_limit_bytes"] += 1
                    return responses.BODY_TOO_LARGE
                if options.is_limited_at_first and not session.is_authenticated:
                    before, held = held, len(chunks)
                    if not engine.held_bytes.change(before, held):
                        return responses.NODE_FULL
    except TimeoutError:
        engine.limited["body_seconds"] += 1
        return responses.BODY_TOO_SLOW
    finally:
        engine.held_bytes.change(held, 0)
    return bytes(chunks)
