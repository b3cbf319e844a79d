"""Dispatch: a session's messages and its end reach the application's handlers."""

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from realtime.engineio.handler_tasks import HandlerTasks
from realtime.engineio.interfaces import HandledSession

Handler = Callable[..., Any]

# Disconnects announced before the event loop gets its turn. When a node behind this one
# dies, ten thousand sessions end at once; their handlers must not block the others.
_DISCONNECTS_A_TURN: Final = 50


class Dispatcher:
    """Calls the handlers of ``connect``, ``message`` and ``disconnect``.

    Args:
        tasks: Owns the tasks of handlers that are coroutines.
        logger: Where handlers' failures go, each once.
        async_handlers: Whether the messages of one session may be handled side by
            side.
        json_loads: Decoder of text messages; None: texts are handed on as they are.

    Attributes:
        handlers: By event.
        is_announcing: Whether disconnects are to be announced in the next turn of the
            event loop.
    """

    def __init__(
        self,
        tasks: HandlerTasks,
        *,
        logger: logging.Logger,
        async_handlers: bool,
        json_loads: Callable[[str], Any] | None,
    ) -> None:
        self.handlers: dict[str, Handler] = {}
        self._tasks = tasks
        self._logger = logger
        self._async_handlers = async_handlers
        self._json_loads = json_loads
        # Of ``message``: looked at once, not for each message.
        self._known_handler: Handler | None = None
        self._is_coroutine = False
        # Disconnects to be announced, with their reasons, and those of held sessions.
        self._disconnects: deque[tuple[HandledSession, str]] = deque()
        self._held_disconnects: dict[HandledSession, str] = {}
        self.is_announcing = False

    @property
    def unannounced(self) -> int:
        """How many disconnects are still to be announced, held ones included."""
        return len(self._disconnects) + len(self._held_disconnects)

    def register(self, event: str, handler: Handler) -> None:
        """Make a function or coroutine function the handler of an event."""
        self.handlers[event] = (
            _with_reason(handler) if event == "disconnect" else handler
        )

    def dispatch(self, session: HandledSession, data: str | bytes) -> None:
        """Give a message to its handler.

        A plain function is called at once. A coroutine runs as a task: beside others
        of its session if handlers are asynchronous, else the session is held for it.
        """
        handler = self.handlers.get("message")
        if handler is None:
            return
        value = data if self._json_loads is None else self._decoded(data)
        if handler is not self._known_handler:
            self._known_handler = handler
            self._is_coroutine = inspect.iscoroutinefunction(handler)
        if not self._is_coroutine:
            self._call("message", handler, session.sid, value)
        elif self._async_handlers:
            session.handler_started()
            task = self._tasks.spawn(self._run("message", handler, session.sid, value))
            task.add_done_callback(lambda _task: session.handler_finished())
        else:
            session.hold()
            task = self._tasks.spawn(self._run("message", handler, session.sid, value))
            task.add_done_callback(lambda _task: session.unhold())

    async def connect(self, session: HandledSession, environ: object) -> object:
        """Ask the ``connect`` handler; an exception refuses, as False does."""
        handler = self.handlers.get("connect")
        if handler is None:
            return None
        try:
            answer = handler(session.sid, environ)
            return await answer if inspect.isawaitable(answer) else answer
        except Exception:
            self._logger.exception("connect handler of %s failed", session.sid)
            return False

    def _decoded(self, data: str | bytes) -> Any:
        """Decode JSON as python-engineio does: what is no JSON stays text."""
        if self._json_loads is None or not isinstance(data, str) or not data:
            return data
        if data[0].isnumeric():
            return data
        try:
            return self._json_loads(data)
        except (ValueError, RecursionError):
            return data

    def _call(self, event: str, handler: Handler, *arguments: object) -> None:
        try:
            handler(*arguments)
        except Exception:
            self._logger.exception("%s handler of %s failed", event, arguments[0])

    async def _run(self, event: str, handler: Handler, *arguments: object) -> None:
        try:
            await handler(*arguments)
        except Exception:
            self._logger.exception("%s handler of %s failed", event, arguments[0])

    def announce_disconnect(self, session: HandledSession, reason: str) -> None:
        """Call the ``disconnect`` handler for a session, soon; once it is not held."""
        if session.is_held:
            self._held_disconnects[session] = reason
            return
        self._disconnects.append((session, reason))
        if not self.is_announcing:
            self.is_announcing = True
            asyncio.get_running_loop().call_soon(self._announce_some)

    def announce_held_disconnect(self, session: HandledSession) -> None:
        """Announce the disconnect of a session that ended while it was held."""
        reason = self._held_disconnects.pop(session, None)
        if reason is not None:
            self.announce_disconnect(session, reason)

    def _announce_some(self) -> None:
        handler = self.handlers.get("disconnect")
        for _ in range(min(_DISCONNECTS_A_TURN, len(self._disconnects))):
            session, reason = self._disconnects.popleft()
            if handler is None:
                continue
            if inspect.iscoroutinefunction(handler):
                _task = self._tasks.spawn(
                    self._run("disconnect", handler, session.sid, reason)
                )
            else:
                self._call("disconnect", handler, session.sid, reason)
        self.is_announcing = bool(self._disconnects)
        if self._disconnects:
            asyncio.get_running_loop().call_soon(self._announce_some)


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
