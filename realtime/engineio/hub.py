"""What the sessions of one server share: registry, deadlines, handlers, tasks."""

import asyncio
import inspect
import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from realtime.addresses import Addresses
from realtime.engineio.cork import Cork
from realtime.engineio.frames import CloseCode
from realtime.engineio.heartbeat import Heartbeat, Lane, Wheel
from realtime.engineio.options import Options
from realtime.engineio.polling import Polling
from realtime.engineio.protocol import Reason
from realtime.engineio.session import Session
from realtime.engineio.websocket import WebSocketConnection
from realtime.limits import new_counts
from realtime.pacing import Turnstile

Handler = Callable[..., Any]

# Ends announced before the event loop gets its turn. When a node behind this one
# dies, ten thousand sessions end at once; their handlers must not block the others.
_ENDS_A_TURN: Final = 50
# Clients of whom a step into the server begins in one turn, each some 0.2 ms of work.
# Thousands may come at once; whoever is in already is served between them.
_ENTRIES_A_TURN: Final = 8
_SHUTDOWN_LOOK_SECONDS: Final = 0.01

CLOSING_CONNECTIONS: Final = 1_000
"""WebSockets whose end is awaited while others come. No session counts them any more,
and whoever never answers a close could open thousands in the time they have for it."""


class Observer(Protocol):
    """Counts packets, for whoever looks at a server from outside."""

    def packet_received(self, size: int) -> None:
        """Count a packet that a client sent; ``size`` in bytes or characters."""

    def packets_sent(self, count: int, size: int) -> None:
        """Count packets sent to a client; ``size`` in bytes or characters."""


class Hub:
    """The middle of an Engine.IO server.

    Args:
        options: The server's settings.
        logger: Where handlers' failures go, each once.
        async_handlers: Whether the messages of one session may be handled side by
            side.
        addresses: Where connections come from.
        limited: Counts how often a limit was met.
    """

    def __init__(
        self,
        options: Options,
        *,
        logger: logging.Logger,
        async_handlers: bool,
        addresses: Addresses | None = None,
        limited: Counter[str] | None = None,
    ) -> None:
        self.options = options
        self.logger = logger
        self.async_handlers = async_handlers
        self.addresses = Addresses() if addresses is None else addresses
        self.limited = new_counts() if limited is None else limited
        #: Decoder of text messages; None: texts are handed on as they are.
        self.json_loads: Callable[[str], Any] | None = json.loads
        self.observer: Observer | None = None
        self.sessions: dict[str, Session] = {}
        self.handlers: dict[str, Handler] = {}
        # Of ``message``: looked at once, not for each message.
        self._known_handler: Handler | None = None
        self._is_coroutine = False
        self.tasks: set[asyncio.Task[Any]] = set()
        self.cork = Cork()
        #: Clients on their way in: their handshakes, and what they do then to be known.
        self.handshakes = Turnstile(_ENTRIES_A_TURN)
        self.entries = Turnstile(_ENTRIES_A_TURN)
        self.wheel = Wheel()
        self.heartbeat = Heartbeat(
            self.wheel,
            interval=options.interval_seconds,
            timeout=options.ping_timeout,
            enforced=options.monitor_clients,
        )
        #: WebSockets whose close frame, or end, is awaited.
        self.closing: Lane[WebSocketConnection] = self.wheel.lane(
            options.close_timeout, lambda connection, _due: connection.abort()
        )
        #: Sessions with a WebSocket that is yet to prove itself.
        self.upgrades: Lane[Session] = self.wheel.lane(
            options.upgrade_timeout, self._end_upgrade
        )
        self._lingering: dict[str, Polling] = {}
        self._linger_lane: Lane[str] = self.wheel.lane(
            options.close_timeout, lambda sid, _due: self.unlinger(sid)
        )
        self._ends: deque[tuple[Session, str]] = deque()
        self._held_ends: dict[Session, str] = {}
        self._is_announcing = False

    def held(self) -> dict[str, int]:
        """Return what the engine holds for its connections, counted by kind."""
        return {
            "engine_sessions": len(self.sessions),
            "engine_tasks": len(self.tasks),
            "engine_deadlines": len(self.wheel),
            "engine_closing": len(self.closing),
            "engine_ends": len(self._ends) + len(self._held_ends),
            "engine_lingering": len(self._lingering),
            "engine_corked": len(self.cork.frames),
            "addresses": len(self.addresses),
            "strangers": self.addresses.strangers,
        }

    # handlers

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a task that this hub owns."""
        task = self.spawn_leaving(work)
        task.add_done_callback(self.tasks.discard)
        return task

    def spawn_leaving(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """As :meth:`spawn`, for work whose last step is to call :meth:`leave`.

        That saves a callback, and its turn in the event loop, for each message.
        """
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        return task

    def leave(self) -> None:
        """Let go of the task that is running."""
        task = asyncio.current_task()
        if task is not None:
            self.tasks.discard(task)

    def dispatch(self, session: Session, data: str | bytes) -> None:
        """Give a message to its handler.

        A plain function is called at once. A coroutine runs as a task: beside others
        of its session if handlers are asynchronous, else the session is held for it.
        """
        handler = self.handlers.get("message")
        if handler is None:
            return
        value = self._decoded(data)
        if handler is not self._known_handler:
            self._known_handler = handler
            self._is_coroutine = inspect.iscoroutinefunction(handler)
        if not self._is_coroutine:
            self._call("message", handler, session.sid, value)
        elif self.async_handlers:
            session.begin_work()
            task = self.spawn(self._run("message", handler, session.sid, value))
            task.add_done_callback(lambda _task: session.end_work())
        else:
            session.hold()
            task = self.spawn(self._run("message", handler, session.sid, value))
            task.add_done_callback(lambda _task: session.unhold())

    async def connect(self, session: Session, environ: object) -> object:
        """Ask the ``connect`` handler; an exception refuses, as False does."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            answer = handler(session.sid, environ)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:
            self.logger.exception("connect handler of %s failed", session.sid)
            return False

    def _decoded(self, data: str | bytes) -> Any:
        """Decode JSON as python-engineio does: what is no JSON stays text."""
        if self.json_loads is None or not isinstance(data, str) or not data:
            return data
        if data[0].isnumeric():
            return data
        try:
            return self.json_loads(data)
        except (ValueError, RecursionError):
            return data

    def _call(self, event: str, handler: Handler, *arguments: object) -> None:
        try:
            handler(*arguments)
        except Exception:
            self.logger.exception("%s handler of %s failed", event, arguments[0])

    async def _run(self, event: str, handler: Handler, *arguments: object) -> None:
        try:
            await handler(*arguments)
        except Exception:
            self.logger.exception("%s handler of %s failed", event, arguments[0])

    # who is who

    def prove(self, session: Session) -> None:
        """Take note that it is known whose a session is."""
        if session.is_stranger:
            session.is_stranger = False
            if session.address is not None:
                self.addresses.prove(session.address)

    def estrange(self, session: Session) -> None:
        """Take note that a session's connection is nobody's any more."""
        if not session.is_stranger:
            session.is_stranger = True
            if session.address is not None:
                self.addresses.lose(session.address)

    # ends of sessions

    def forget(self, session: Session, reason: str) -> None:
        """Take a closed session out of everything, and announce its end."""
        self.sessions.pop(session.sid, None)
        self.heartbeat.stop(session)
        self.upgrades.discard(session)
        self.estrange(session)
        address, session.address = session.address, None
        if address is not None:
            self.addresses.leave(address)
        if reason == Reason.SLOW_CONSUMER:
            self.limited["write_buffer_bytes"] += 1
        if not session.connected:
            return
        if session.is_held:
            self._held_ends[session] = reason
        else:
            self.announce(session, reason)

    def announce_held_end(self, session: Session) -> None:
        """Announce an end that waited for the session to be let go."""
        reason = self._held_ends.pop(session, None)
        if reason is not None:
            self.announce(session, reason)

    def announce(self, session: Session, reason: str) -> None:
        """Call the ``disconnect`` handler for a session, soon."""
        self._ends.append((session, reason))
        if not self._is_announcing:
            self._is_announcing = True
            asyncio.get_running_loop().call_soon(self._announce_some)

    def _announce_some(self) -> None:
        handler = self.handlers.get("disconnect")
        for _ in range(min(_ENDS_A_TURN, len(self._ends))):
            session, reason = self._ends.popleft()
            if handler is None:
                continue
            if inspect.iscoroutinefunction(handler):
                _task = self.spawn(
                    self._run("disconnect", handler, session.sid, reason)
                )
            else:
                self._call("disconnect", handler, session.sid, reason)
        self._is_announcing = bool(self._ends)
        if self._ends:
            asyncio.get_running_loop().call_soon(self._announce_some)

    # deadlines

    def make_room(self) -> None:
        """Cut off who has been closing for longest, if too many are; for a newcomer."""
        if len(self.closing) >= CLOSING_CONNECTIONS:
            oldest = self.closing.pop_first()
            if oldest is not None:
                oldest.abort()

    def linger(self, sid: str, polling: Polling) -> None:
        """Keep what a closed session's client has not fetched yet."""
        self._lingering[sid] = polling
        self._linger_lane.add(sid)

    def lingering(self, sid: str) -> Polling | None:
        """Return what a closed session's client may still fetch."""
        return self._lingering.get(sid)

    def unlinger(self, sid: str) -> None:
        """Let go of what a closed session's client did or did not fetch."""
        self._lingering.pop(sid, None)
        self._linger_lane.discard(sid)

    def _end_upgrade(self, session: Session, _due: float) -> None:
        session.drop_candidate()

    # the end of all

    async def close_all(self, seconds: float) -> None:
        """Close every session and wait, at most so many seconds, for it."""
        for count, session in enumerate(list(self.sessions.values()), start=1):
            session.close(Reason.SERVER_DISCONNECT, CloseCode.GOING_AWAY)
            if count % _ENDS_A_TURN == 0:
                await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # Looking now and then, once in a server's life: an event would not pay.
        while (self.closing or self._ends) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_SHUTDOWN_LOOK_SECONDS)
        for connection in self.closing.items():
            connection.abort()
        await self._finish_tasks(deadline)
        self._lingering.clear()
        self.wheel.close()

    async def _finish_tasks(self, deadline: float) -> None:
        """Wait for handlers until ``deadline``, loop time; cancel those that hang."""
        current = asyncio.current_task()
        tasks = [task for task in self.tasks if task is not current]
        if not tasks:
            return
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        _done, late = await asyncio.wait(tasks, timeout=left)
        for task in late:
            task.cancel()
