"""The Engine.IO server, with the surface of ``engineio.AsyncServer``."""

import asyncio
import base64
import dataclasses
import inspect
import json as standard_json
import logging
import os
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, overload

from aiohttp import web

from realtime.addresses import Addresses
from realtime.engineio import frames, protocol
from realtime.engineio.endpoint import Endpoint
from realtime.engineio.hub import Handler, Hub
from realtime.engineio.options import Options
from realtime.engineio.protocol import Reason
from realtime.engineio.session import Session
from realtime.engineio.websocket import NO_SOCKET

_H = TypeVar("_H", bound=Handler)
_EVENTS: Final = ("connect", "disconnect", "message")
_OPTION_NAMES: Final = frozenset(
    each.name for each in dataclasses.fields(Options) if each.init
)
# 96 random bits and a counter of 24: as python-engineio's ids, 20 characters.
_RANDOM_BYTES: Final = 12
_COUNTER_MASK: Final = 0xFFFFFF


class EngineServer:
    """An Engine.IO v4 server on aiohttp.

    Handlers are registered with :meth:`on`: ``connect(sid, environ)``, whose False (or
    any value but None and True) refuses the client; ``message(sid, data)``; and
    ``disconnect(sid, reason)``. Messages of one session are handled in their order.

    Args:
        async_mode: ``aiohttp``, the one there is.
        logger: True for a log of sessions, or a logger to use.
        json: A module whose ``loads`` decodes text messages and ``dumps`` encodes
            lists and mappings; the standard library's by default.
        async_handlers: Whether a coroutine handler of ``message`` may run beside
            others of the same session.
        addresses: Where connections come from; None: no proxy is trusted.
        limited: Counts how often a limit of :mod:`realtime.limits` was met.
        settings: Fields of :class:`~realtime.engineio.options.Options`. Other keywords
            are ignored, as python-engineio does.

    Raises:
        ValueError: for settings that cannot be.
    """

    reason = Reason
    event_names = _EVENTS
    valid_transports = ("polling", "websocket")

    def __init__(
        self,
        async_mode: str | None = None,
        *,
        logger: logging.Logger | bool = False,
        json: Any = None,
        async_handlers: bool = True,
        addresses: Addresses | None = None,
        limited: Counter[str] | None = None,
        **settings: Any,
    ) -> None:
        if async_mode not in (None, "aiohttp"):
            raise ValueError("Invalid async_mode specified")
        chosen = {
            name: value
            for name, value in settings.items()
            if name in _OPTION_NAMES and value is not None
        }
        options = Options(**chosen)
        self.async_mode = "aiohttp"
        self.logger = _logger_for(logger)
        self.hub = Hub(
            options,
            logger=self.logger,
            async_handlers=async_handlers,
            addresses=addresses,
            limited=limited,
        )
        self._json = json
        if json is not None:
            self.hub.json_loads = json.loads
        self._endpoint = Endpoint(self.hub, self.generate_id)
        self._sequence_number = 0

    # as engineio.AsyncServer

    @property
    def options(self) -> Options:
        """The server's settings."""
        return self.hub.options

    @property
    def sockets(self) -> dict[str, Session]:
        """The open sessions by id."""
        return self.hub.sessions

    @property
    def handlers(self) -> dict[str, Handler]:
        """The registered handlers by event."""
        return self.hub.handlers

    def is_asyncio_based(self) -> bool:
        """Return True."""
        return True

    def async_modes(self) -> list[str]:
        """Return the supported values of ``async_mode``."""
        return ["aiohttp"]

    def attach(self, app: web.Application, engineio_path: str = "engine.io") -> None:
        """Serve the path of an application; its shutdown closes the sessions."""
        path = f"/{engineio_path.strip('/')}/"
        app.router.add_route("*", path, self.handle_request)
        app.on_shutdown.append(self._on_app_shutdown)

    async def _on_app_shutdown(self, _app: web.Application) -> None:
        await self.shutdown()

    @overload
    def on(self, event: str) -> Callable[[_H], _H]: ...

    @overload
    def on(self, event: str, handler: _H) -> _H: ...

    def on(self, event: str, handler: _H | None = None) -> Callable[[_H], _H] | _H:
        """Register a handler; without one, return a decorator that does.

        Raises:
            ValueError: for an event that does not exist.
        """
        if event not in _EVENTS:
            raise ValueError("Invalid event")

        def register(given: _H) -> _H:
            self.hub.handlers[event] = (
                _with_reason(given) if event == "disconnect" else given
            )
            return given

        return register if handler is None else register(handler)

    async def send(self, sid: str, data: object) -> None:
        """Send a message; nothing happens when the session is gone."""
        self.write(sid, self._as_message(data))

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Send an ``engineio.packet.Packet``; nothing when the session is gone."""
        session = self.hub.sessions.get(sid)
        if session is None:
            return
        if str(pkt.packet_type) == protocol.MESSAGE:
            session.send(self._as_message(pkt.data))
        else:
            session.send_packet(pkt.encode())

    def _as_message(self, data: object) -> str | bytes:
        if isinstance(data, str | bytes):
            return data
        if isinstance(data, bytearray | memoryview):
            return bytes(data)
        if isinstance(data, list | dict):
            codec = self._json or standard_json
            return str(codec.dumps(data, separators=(",", ":")))
        return "" if data is None else str(data)

    async def get_session(self, sid: str) -> dict[Any, Any]:
        """Return the application's dictionary of a session.

        Raises:
            KeyError: when there is no such session.
        """
        return self._get_socket(sid).session

    async def save_session(self, sid: str, session: dict[Any, Any]) -> None:
        """Replace the application's dictionary of a session.

        Raises:
            KeyError: when there is no such session.
        """
        self._get_socket(sid).session = session

    @asynccontextmanager
    async def session(self, sid: str) -> AsyncIterator[dict[Any, Any]]:
        """Give a session's dictionary, and save it at the end of the block."""
        values = await self.get_session(sid)
        yield values
        await self.save_session(sid, values)

    async def disconnect(self, sid: str | None = None) -> None:
        """Close a session, or all of them."""
        if sid is not None:
            self.close(sid)
            return
        for session in list(self.hub.sessions.values()):
            session.close(Reason.SERVER_DISCONNECT)

    def transport(self, sid: str) -> str:
        """Return ``polling`` or ``websocket``.

        Raises:
            KeyError: when there is no such session.
        """
        return "websocket" if self._get_socket(sid).upgraded else "polling"

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; a handler for aiohttp's router."""
        return await self._endpoint.handle(request)

    def refuse_new(self) -> None:
        """Answer handshakes with 503 from now on; sessions go on."""
        self._endpoint.is_closed = True

    async def shutdown(self, seconds: float | None = None) -> None:
        """Close all sessions, wait for them a moment, and stop the timer.

        ``disconnect`` handlers are run first. Handshakes are refused from now on.

        Args:
            seconds: Longest wait, if it is shorter than ``close_timeout``.
        """
        self.refuse_new()
        at_most = self.options.close_timeout
        await self.hub.close_all(at_most if seconds is None else min(seconds, at_most))

    def start_background_task(
        self, target: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Run ``target(*args, **kwargs)`` as a task; the caller owns it."""
        return asyncio.ensure_future(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleep without blocking the loop."""
        await asyncio.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> asyncio.Queue[Any]:
        """Return an ``asyncio.Queue``."""
        return asyncio.Queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """Return ``asyncio.QueueEmpty``."""
        return asyncio.QueueEmpty

    def create_event(self) -> asyncio.Event:
        """Return an ``asyncio.Event``."""
        return asyncio.Event()

    def generate_id(self) -> str:
        """Return a new session id that nobody can guess."""
        number = self._sequence_number.to_bytes(3, "big")
        self._sequence_number = (self._sequence_number + 1) & _COUNTER_MASK
        unguessable = secrets.token_bytes(_RANDOM_BYTES) + number
        return base64.urlsafe_b64encode(unguessable).decode("ascii")

    def _get_socket(self, sid: str) -> Session:
        """Return a session; the admin UI's instrumentation asks for it."""
        session = self.hub.sessions.get(sid)
        if session is None:
            raise KeyError("Session not found")
        return session

    # beyond it

    def write(self, sid: str, data: str | bytes) -> None:
        """Send a message now, without waiting; nothing when the session is gone."""
        session = self.hub.sessions.get(sid)
        if session is not None:
            session.send(data)

    def write_with_next(self, sid: str, data: str | bytes) -> None:
        """Send a message as :meth:`write`, or in one write with what is about to come.

        Of what comes, broadcasts go ahead of it and all else behind it; see
        :class:`~realtime.engineio.cork.Cork`.
        """
        session = self.hub.sessions.get(sid)
        if session is not None:
            session.send_with_next(data)

    def broadcast(self, sids: Iterable[str], messages: Sequence[str | bytes]) -> None:
        """Send messages to many sessions now, encoded once, in one write each.

        Sessions that are gone are skipped; one whose buffer is full is closed.
        """
        frame = b"".join([frames.message_frame(data) for data in messages])
        size = len(frame)
        packets: list[str] | None = None
        find, is_observed = self.hub.sessions.get, self.hub.observer is not None
        kept = self.hub.cork.frames
        for sid in sids:
            session = find(sid)
            if session is None:
                continue
            number = session.socket_number
            if number == NO_SOCKET or is_observed:
                if packets is None:
                    packets = [protocol.encode_message(data) for data in messages]
                session.send_built(frame, packets)
                continue
            if kept and session in kept:
                # The news first, then the answers to what brought it about.
                session.send_rest(frame + kept.pop(session))
                continue
            try:
                written = os.write(number, frame)
            except OSError:
                # Full or broken: the transport finds out which.
                written = 0
            if written < size:
                session.send_rest(frame[written:])

    def close(self, sid: str, reason: str = Reason.SERVER_DISCONNECT) -> None:
        """Close a session's transport; ``disconnect`` handlers get the reason.

        Clients take it for a lost connection and come back by themselves.
        """
        session = self.hub.sessions.get(sid)
        if session is not None:
            session.close(reason)


def _logger_for(logger: logging.Logger | bool) -> logging.Logger:
    if not isinstance(logger, bool):
        return logger
    own = logging.getLogger("realtime.engineio")
    if logger and own.level == logging.NOTSET:
        own.setLevel(logging.INFO)
    return own


def _with_reason(handler: Handler) -> Handler:
    """Return a handler of sid and reason; older applications take the sid alone."""
    try:
        inspect.signature(handler).bind("sid", "reason")
    except TypeError:
        if inspect.iscoroutinefunction(handler):

            async def without_reason(sid: str, _reason: str) -> Any:
                return await handler(sid)

            return without_reason
        return lambda sid, _reason: handler(sid)
    except ValueError:
        return handler
    return handler
