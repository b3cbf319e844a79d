"""Flow control: when a session's client is read, and when it has to wait.

A client that is not read stays within the network's buffers, so that it has to wait.
"""

import asyncio

from realtime.engineio.context import Context


class FlowControl:
    """The part of a session that decides whether more is read from its client.

    Nothing is read while the session is held, while it is slowed down, and while as
    many of its handlers run as may.

    Attributes:
        paused: Nothing more is to be read from the client for now.
        closed: Whether the session has ended.
    """

    __slots__ = (
        "_context",
        "_is_held",
        "_max_running",
        "_running",
        "_slow_down_timer",
        "_unpaused",
        "closed",
        "paused",
        "sid",
    )

    def __init__(self, context: Context, sid: str) -> None:
        self._context = context
        self.sid = sid
        self.paused = False
        self.closed = False
        self._is_held = False
        # Handlers that run, and that may before the client has to wait.
        self._running = 0
        self._max_running = context.options.max_in_flight
        self._slow_down_timer: asyncio.TimerHandle | None = None
        self._unpaused: asyncio.Future[None] | None = None

    def handler_started(self) -> None:
        """Count a handler that runs beside others; at the bound the client waits."""
        self._running += 1
        if self._running >= self._max_running:
            self._update_paused()

    def handler_finished(self) -> None:
        """Count a handler that has ended; each allows a slowed client one more."""
        self._running -= 1
        if (
            self._max_running < self._context.options.max_in_flight
            and self._slow_down_timer is None
        ):
            self._max_running += 1
        if self.paused:
            self._update_paused()

    def slow_down(self, seconds: float) -> None:
        """Read nothing for so long, then one message at a time, then slowly more.

        For a client that asks for more than it may. Its heartbeat is excused meanwhile.
        """
        if self._slow_down_timer is None and not self.closed:
            self._max_running = 1
            self._slow_down_timer = asyncio.get_running_loop().call_later(
                seconds, self._end_slow_down
            )
            self._update_paused()

    def _end_slow_down(self) -> None:
        self._slow_down_timer = None
        self._update_paused()

    def hold(self) -> None:
        """Read no more, and announce no end, until :meth:`unhold`: order matters."""
        self._is_held = True
        self._update_paused()

    def unhold(self) -> None:
        """Go on after :meth:`hold`."""
        self._is_held = False
        if self.closed:
            self._context.dispatcher.announce_held_disconnect(self)
        self._update_paused()

    @property
    def is_held(self) -> bool:
        """Whether something is going on that the session's end must wait for."""
        return self._is_held

    async def wait_unpaused(self) -> None:
        """Return when packets may be handled again, or the session is closed."""
        while self.paused and not self.closed:
            self._unpaused = asyncio.get_running_loop().create_future()
            await self._unpaused
            self._unpaused = None

    def _update_paused(self) -> None:
        busy = (
            self._is_held
            or self._slow_down_timer is not None
            or self._running >= self._max_running
        )
        if busy == self.paused:
            return
        self.paused = busy
        if busy:
            if self._running >= self._context.options.max_in_flight:
                self._context.limited["requests_under_way"] += 1
            return
        self._wake_waiter()
        self._resume_reading()

    def _wake_waiter(self) -> None:
        if self._unpaused is not None and not self._unpaused.done():
            self._unpaused.set_result(None)

    def _end_flow_control(self) -> None:
        """Let go of what waits, for a session that is closed."""
        if self._slow_down_timer is not None:
            self._slow_down_timer.cancel()
        self._wake_waiter()

    def _resume_reading(self) -> None:
        """Go on reading from the client."""
        raise NotImplementedError
