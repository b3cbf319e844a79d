"""The Engine.IO server, with the surface of ``engineio.AsyncServer``."""

import dataclasses
import json as standard_json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar, overload

from aiohttp import web

from realtime.addresses import Addresses
from realtime.engineio import frames, protocol
from realtime.engineio.dispatch import Handler
from realtime.engineio.endpoint import Endpoint
from realtime.engineio.engine import Engine
from realtime.engineio.options import Options
from realtime.engineio.protocol import Reason
from realtime.engineio.shutdown import close_sessions
from realtime.engineio.stock_surface import StockSurface
from realtime.engineio.websocket_writer import NO_SOCKET
from realtime.limits import new_counts

_H = TypeVar("_H", bound=Handler)
_OPTION_NAMES: Final = frozenset(
    each.name for each in dataclasses.fields(Options) if each.init
)


class EngineServer(StockSurface):
    """An Engine.IO v4 server on aiohttp.

    Handlers are registered with :meth:`on`: ``connect(sid, environ)``, whose False (or
    any value but None and True) refuses the client; ``message(sid, data)``; and
    ``disconnect(sid, reason)``. Messages of one session are handled in their order.

    Args:
        async_mode: ``aiohttp``, the one there is.
        logger: True for a log of sessions, or a logger to use.
        json: A module whose ``loads`` decodes text messages and ``dumps`` encodes
            lists and mappings; the standard library's by default.
        decode_json: Whether text messages are decoded at all.
        async_handlers: Whether a coroutine handler of ``message`` may run beside
            others of the same session.
        addresses: Where connections come from; None: no proxy is trusted.
        limited: Counts how often a limit of :mod:`realtime.limits` was met.
        sid_mark: Number that all session ids have in them, as
            :class:`~realtime.engineio.stock_surface.StockSurface` says.
        settings: Fields of :class:`~realtime.engineio.options.Options`. Other keywords
            are ignored, as python-engineio does.

    Attributes:
        engine: Its parts.

    Raises:
        ValueError: for settings that cannot be.
    """

    def __init__(
        self,
        async_mode: str | None = None,
        *,
        logger: logging.Logger | bool = False,
        json: Any = None,
        decode_json: bool = True,
        async_handlers: bool = True,
        addresses: Addresses | None = None,
        limited: Counter[str] | None = None,
        sid_mark: int | None = None,
        **settings: Any,
    ) -> None:
        if async_mode not in (None, "aiohttp"):
            raise ValueError("Invalid async_mode specified")
        chosen = {
            name: value
            for name, value in settings.items()
            if name in _OPTION_NAMES and value is not None
        }
        json = json or standard_json
        self.logger = _logger_for(logger)
        self.engine = Engine(
            Options(**chosen),
            new_sid=self.generate_id,
            logger=self.logger,
            json_loads=json.loads if decode_json else None,
            async_handlers=async_handlers,
            addresses=Addresses() if addresses is None else addresses,
            limited=new_counts() if limited is None else limited,
        )
        super().__init__(self.engine.sessions, json=json, sid_mark=sid_mark)
        self._context = self.engine.context
        self._endpoint = Endpoint(self.engine)

    # as engineio.AsyncServer

    @property
    def options(self) -> Options:
        """The server's settings."""
        return self.engine.options

    @property
    def handlers(self) -> dict[str, Handler]:
        """The registered handlers by event."""
        return self.engine.dispatcher.handlers

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
        if event not in self.event_names:
            raise ValueError("Invalid event")

        def register(given: _H) -> _H:
            self.engine.dispatcher.register(event, given)
            return given

        return register if handler is None else register(handler)

    async def handle_request(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; a handler for aiohttp's router."""
        return await self._endpoint.handle(request)

    def refuse_new(self) -> None:
        """Answer handshakes with 503 from now on; sessions go on."""
        self.engine.admission.is_closed = True

    async def shutdown(self, seconds: float | None = None) -> None:
        """Close all sessions, wait for them a moment, and stop the timer.

        ``disconnect`` handlers are run first. Handshakes are refused from now on.

        Args:
            seconds: Longest wait, if it is shorter than ``close_timeout``.
        """
        self.engine.admission.close()
        at_most = self.options.close_timeout
        seconds = at_most if seconds is None else min(seconds, at_most)
        await close_sessions(self.engine, seconds)

    # beyond it

    def write(self, sid: str, data: str | bytes) -> None:
        """Send a message now, without waiting; nothing when the session is gone."""
        session = self.sockets.get(sid)
        if session is not None:
            session.send(data)

    def write_corked(self, sid: str, data: str | bytes) -> None:
        """Send a message as :meth:`write`, or in one write with what is about to come.

        Of what comes, broadcasts go ahead of it and all else behind it; see
        :class:`~realtime.engineio.cork.Cork`.
        """
        session = self.sockets.get(sid)
        if session is not None:
            session.send_corked(data)

    def broadcast(self, sids: Iterable[str], messages: Sequence[str | bytes]) -> None:
        """Send messages to many sessions now, encoded once, in one write each.

        Sessions that are gone are skipped; one whose buffer is full is closed.
        """
        frame = b"".join([frames.message_frame(data) for data in messages])
        size = len(frame)
        packets: list[str] | None = None
        find, is_observed = self.sockets.get, self._context.observer is not None
        kept = self._context.cork.frames
        for sid in sids:
            session = find(sid)
            if session is None:
                continue
            number = session.socket_number
            if number == NO_SOCKET or is_observed:
                if packets is None:
                    packets = [protocol.encode_message(data) for data in messages]
                session.send_encoded(frame, packets)
                continue
            if kept and session in kept:
                # The broadcast first, then the acks of the messages that caused it.
                session.write_frames(frame + kept.pop(session))
                continue
            try:
                written = os.write(number, frame)
            except OSError:
                # Full or broken: the transport finds out which.
                written = 0
            if written < size:
                session.write_frames(frame[written:])

    def close(self, sid: str, reason: str = Reason.SERVER_DISCONNECT) -> None:
        """Close a session's transport; ``disconnect`` handlers get the reason.

        Clients take it for a lost connection and come back by themselves.
        """
        session = self.sockets.get(sid)
        if session is not None:
            session.close(reason)


def _logger_for(logger: logging.Logger | bool) -> logging.Logger:
    if not isinstance(logger, bool):
        return logger
    own = logging.getLogger("realtime.engineio")
    if logger and own.level == logging.NOTSET:
        own.setLevel(logging.INFO)
    return own
