"""An HTTP connection as asyncio sees it: whether what was sent over it arrived.

aiohttp tells a handler neither that its client is gone nor how its connection ended.
"""

import asyncio
import fcntl
import select
import struct
import termios
from collections.abc import Callable


class HttpConnection(asyncio.Protocol):
    """Stands between a connection and aiohttp; all calls are passed on.

    Args:
        http: aiohttp's protocol.
        transport: The connection.

    Attributes:
        is_lost: Whether the connection has ended, in whatever way.
        is_broken: Whether it ended before all that was sent had arrived.
        on_lost: Called when it ends, for the request that is being answered.
    """

    __slots__ = ("_http", "_transport", "is_broken", "is_lost", "on_lost")

    def __init__(self, http: asyncio.Protocol, transport: asyncio.Transport) -> None:
        self._http: asyncio.Protocol | None = http
        self._transport: asyncio.Transport | None = transport
        self.is_lost = False
        self.is_broken = False
        self.on_lost: Callable[[], None] | None = None

    @classmethod
    def of(cls, transport: asyncio.Transport) -> "HttpConnection":
        """Return what stands behind a transport, put there the first time."""
        protocol = transport.get_protocol()
        if isinstance(protocol, cls):
            return protocol
        made = cls(protocol, transport)  # type: ignore[arg-type] # aiohttp's, always
        transport.set_protocol(made)
        return made

    @property
    def unsent_bytes(self) -> int:
        """Bytes that wait for the network to take them."""
        transport = self._transport
        return 0 if transport is None else transport.get_write_buffer_size()

    def has_failed(self) -> bool:
        """Return whether what was sent did not all arrive, as far as is known now.

        The end of a connection is looked for in its socket too: a client comes back
        over another one before the event loop has heard of it.
        """
        if self._transport is not None and not self.is_broken:
            self.is_broken = _is_reset(self._transport)
        return self.is_broken

    def has_ended(self) -> bool:
        """Return whether the client has closed the connection, or it broke."""
        return self.is_lost or self._transport is None or _is_over(self._transport)

    def abort_if_unread(self) -> None:
        """Drop the connection if its client has not taken all that was sent."""
        if self._transport is not None and self.unsent_bytes:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self._http is not None:
            self._http.data_received(data)

    def eof_received(self) -> bool | None:
        """Note whether the client has all; who closes a socket reads it first."""
        if self._transport is not None and _unacknowledged(self._transport):
            self.is_broken = True
        return None if self._http is None else self._http.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._http is not None:
            self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._http is not None:
            self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note how it ended, pass it on, and let go of it."""
        self.is_lost = True
        self.is_broken = self.is_broken or exc is not None
        http, self._http, self._transport = self._http, None, None
        on_lost, self.on_lost = self.on_lost, None
        if http is not None:
            http.connection_lost(exc)
        if on_lost is not None:
            on_lost()


def _descriptor(transport: asyncio.Transport) -> int:
    made = transport.get_extra_info("socket")
    return -1 if made is None else int(made.fileno())


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Return how many bytes the other side's kernel has not confirmed."""
    number = _descriptor(transport)
    if number < 0:
        return 0
    try:
        answer = fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4))
    except OSError:
        # No TCP socket: nothing is known.
        return 0
    count: int = struct.unpack("i", answer)[0]
    return count + transport.get_write_buffer_size()


def _events(transport: asyncio.Transport) -> int:
    number = _descriptor(transport)
    if number < 0:
        return 0
    watch = select.poll()
    watch.register(number, select.POLLIN | select.POLLRDHUP)
    return sum(events for _number, events in watch.poll(0))


def _is_reset(transport: asyncio.Transport) -> bool:
    ended = _events(transport)
    # Both directions are over, and we have closed none of them.
    if ended & (select.POLLERR | select.POLLHUP):
        return True
    return bool(ended & select.POLLRDHUP and _unacknowledged(transport))


def _is_over(transport: asyncio.Transport) -> bool:
    over = select.POLLERR | select.POLLHUP | select.POLLRDHUP
    return bool(_events(transport) & over)
