"""Keeps the loop from being blocked when thousands of connections speak at once.

asyncio handles everything that a ``select()`` reports before it looks at timers or
anything else. Ten thousand connections that are lost in one moment would block the
loop for as long as all their cleaning up takes.
"""

import asyncio
import selectors
from asyncio import selector_events
from typing import Any, Final

from realtime.engineio.aiohttp_upgrade import let_go

# Ready connections handled in one turn of the loop: some 10 ms of work if each of them
# is lost, 3 ms if each brings a message.
_EVENTS_A_TURN: Final = 128

_Ready = list[tuple[selectors.SelectorKey, int]]


class FairSelector(selectors.DefaultSelector):
    """Reports a bounded number of ready connections, each in its turn.

    What is left out is ready still, and is reported by the next call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin = 0

    def select(self, timeout: float | None = None) -> _Ready:
        """Return at most :data:`_EVENTS_A_TURN` of what is ready."""
        ready = super().select(timeout)
        if len(ready) <= _EVENTS_A_TURN:
            return ready
        # The kernel always begins with the same ones; whoever was not served goes
        # first next time, so that busy connections cannot keep out the others.
        begin = self._begin % len(ready)
        self._begin = begin + _EVENTS_A_TURN
        return (ready[begin:] + ready[:begin])[:_EVENTS_A_TURN]


class _Transport(selector_events._SelectorSocketTransport):  # type: ignore[misc, name-defined]
    """A connection that is freed when it is lost, whoever's it was."""

    def _call_connection_lost(self, exc: Exception | None) -> None:
        try:
            super()._call_connection_lost(exc)
        finally:
            let_go(self)


class _Loop(asyncio.SelectorEventLoop):
    def _make_socket_transport(self, *args: Any, **keywords: Any) -> _Transport:
        return _Transport(self, *args, **keywords)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop; for ``asyncio.Runner(loop_factory=new_event_loop)``."""
    return _Loop(FairSelector())
