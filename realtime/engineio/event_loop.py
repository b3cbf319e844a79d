"""An event loop that thousands of connections that speak at once do not block.

asyncio handles everything that a ``select()`` reports before it looks at timers or
anything else. Ten thousand connections that are lost in one moment would block the
loop for as long as all their cleaning up takes.

The private names of asyncio in use are all here.
"""

import asyncio
import selectors
import socket
from asyncio import selector_events
from typing import Any, Final

# Ready connections handled in one turn of the loop: some 10 ms of work if each of them
# is lost, 3 ms if each brings a message.
EVENTS_A_TURN: Final = 128

_Ready = list[tuple[selectors.SelectorKey, int]]


class FairSelector(selectors.DefaultSelector):
    """Reports a bounded number of ready connections, each in its turn.

    What is left out is ready still, and is reported by the next call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begin = 0

    def select(self, timeout: float | None = None) -> _Ready:
        """Return at most :data:`EVENTS_A_TURN` of what is ready."""
        ready = super().select(timeout)
        if len(ready) <= EVENTS_A_TURN:
            return ready
        # The kernel always begins with the same ones; those not served go
        # first next time, so that busy connections cannot keep out the others.
        begin = self._begin % len(ready)
        self._begin = begin + EVENTS_A_TURN
        return (ready[begin:] + ready[:begin])[:EVENTS_A_TURN]


def break_reference_cycles(transport: asyncio.BaseTransport) -> None:
    """Break a lost transport's references to itself, so that it is freed at once.

    asyncio's transports hold bound methods of their own. Thousands of lost connections
    would otherwise wait for the garbage collector, and block the loop when it comes.
    """
    own = getattr(transport, "__dict__", {})
    for name in ("_read_ready_cb", "_write_ready"):
        if name in own:
            own[name] = None


def read_at_most(transport: asyncio.BaseTransport, size: int | None) -> None:
    """Bound what one read of a connection brings; None: asyncio's own 256 KiB.

    It has no effect on other loops, nor under TLS, where the whole record is read.
    """
    own = getattr(transport, "__dict__", {})
    if size is not None:
        own["max_size"] = size
    else:
        own.pop("max_size", None)


class Transport(selector_events._SelectorSocketTransport):  # type: ignore[misc, name-defined]
    """A transport that is freed as soon as its connection is lost."""

    def _call_connection_lost(self, exc: Exception | None) -> None:
        try:
            super()._call_connection_lost(exc)
        finally:
            break_reference_cycles(self)


class _Loop(asyncio.SelectorEventLoop):
    def _make_socket_transport(self, *args: Any, **keywords: Any) -> Transport:
        return Transport(self, *args, **keywords)


def adopt(connection: socket.socket, protocol: asyncio.Protocol) -> None:
    """Serve a connection that was accepted elsewhere, as if it had been here."""
    connection.setblocking(False)
    loop: Any = asyncio.get_running_loop()
    loop._make_socket_transport(connection, protocol)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop; for ``asyncio.Runner(loop_factory=new_event_loop)``."""
    return _Loop(FairSelector())
