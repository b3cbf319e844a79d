"""The long-polling transport of one session: what waits for its next GET.

Also where a WebSocket session's packets wait until its handshake is done.
"""

import asyncio
import weakref
from collections.abc import Sequence

from aiohttp import web

from realtime.engineio import protocol
from realtime.engineio.interfaces import Closable
from realtime.engineio.protocol import Reason


class Polling:
    """Packets in order, bounded in bytes, and the GET that waits for them.

    Args:
        session: The session, which is closed when the bound is passed.
        limit: Bytes (characters of encoded packets) that may wait, beside the longest
            packet since nothing waited.
    """

    __slots__ = (
        "_answered_over",
        "_closed",
        "_limit",
        "_longest_size",
        "_packets",
        "_repeatable",
        "_session",
        "_size",
        "_waiter",
        "poll_active",
        "post_active",
    )

    def __init__(self, session: Closable, limit: int) -> None:
        self._session: Closable | None = session
        self._limit = limit
        self._packets: list[str] = []
        self._size = 0
        # The longest packet queued since nothing waited.
        self._longest_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._repeatable: tuple[str, bytes] | None = None
        self._answered_over: weakref.ref[asyncio.Transport] | None = None
        # A GET, or a POST, of this session is being served.
        self.poll_active = False
        self.post_active = False

    def send_message(self, data: str | bytes) -> None:
        """Queue a message for the next poll."""
        self.send_packet(protocol.encode_message(data))

    def send_packet(self, packet: str) -> None:
        """Queue an encoded packet; over the bound the session ends."""
        if self._closed:
            return
        size = len(packet)
        if self._session is not None and not self.can_buffer(size):
            self._session.close(Reason.SLOW_CONSUMER)
            return
        self._longest_size = max(size, self._longest_size) if self._packets else size
        self._packets.append(packet)
        self._size += size
        self.release()

    def send_packets(self, packets: Sequence[str]) -> None:
        """Queue several encoded packets, in order."""
        for packet in packets:
            self.send_packet(packet)

    def release(self) -> None:
        """Let a waiting GET answer with what there is."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self, last_packet: str) -> None:
        """Take no more packets; a GET gets the rest with ``last_packet`` at its end."""
        if self._closed:
            return
        self._closed = True
        self._session = None
        self._packets.append(last_packet)
        self.release()

    @property
    def is_receiving(self) -> bool:
        """Whether the body of a POST is arriving or being handled."""
        return self.post_active

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the last poll's answer that wait for the network to take them."""
        connection = None if self._answered_over is None else self._answered_over()
        return 0 if connection is None else connection.get_write_buffer_size()

    def can_buffer(self, size: int) -> bool:
        """Whether a packet of this size would be taken now."""
        beside = self._size + size - max(size, self._longest_size)
        return not self._packets or beside <= self._limit

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits for the next GET."""
        return not self._packets

    def take_all(self) -> list[str]:
        """Return the packets that wait, and forget them."""
        packets, self._packets, self._size = self._packets, [], 0
        return packets

    def take_payload(self, max_packets: int, max_bytes: int) -> bytes:
        """Return the next payload: some packets, at least one if there is any.

        Args:
            max_packets: No more packets than these.
            max_bytes: No more bytes, but for a packet that is longer by itself.
        """
        count = size = 0
        for packet in self._packets[:max_packets]:
            size += len(packet) + 1
            if count and size > max_bytes:
                break
            count += 1
        taken = self._packets[:count]
        del self._packets[:count]
        self._size -= sum(map(len, taken))
        return protocol.SEPARATOR.join(taken or [protocol.NOOP]).encode()

    def remember(
        self, name: str | None, payload: bytes, connection: asyncio.Transport | None
    ) -> None:
        """Keep what a poll was answered with until the next one.

        Args:
            name: The poll's ``t`` parameter, which clients make anew for each poll.
            payload: The answer.
            connection: What the answer goes over.
        """
        self._answered_over = None if connection is None else weakref.ref(connection)
        self._repeatable = (name, payload) if name else None

    def take_repeat(self, name: str | None) -> bytes | None:
        """Return once more what a poll was answered with, if it is the same poll.

        Browsers and HTTP libraries silently repeat a GET whose connection breaks before
        the answer: without this the packets of that answer would be lost.
        """
        if self._repeatable is None or self._repeatable[0] != name:
            return None
        payload = self._repeatable[1]
        self._repeatable = None
        return payload

    async def wait(self, request: web.Request) -> bool:
        """Wait until there is something to answer a GET with.

        It ends at the latest with the heartbeat's next ping, or the session.

        Returns:
            False when the client gave the request up.
        """
        transport = request.transport
        if transport is None:
            return False
        self._waiter = asyncio.get_running_loop().create_future()
        watch = _Watch(transport.get_protocol(), self)
        transport.set_protocol(watch)
        try:
            await self._waiter
        finally:
            self._waiter = None
            watch.polling = None
            if transport.get_protocol() is watch:
                transport.set_protocol(watch.http)
        return not watch.is_lost


class _Watch(asyncio.Protocol):
    """Stands between a connection and aiohttp while a GET waits.

    aiohttp does not tell a handler that its client is gone; the protocol wants the
    session closed then.
    """

    def __init__(self, http: asyncio.BaseProtocol, polling: Polling) -> None:
        # aiohttp's server protocol; all calls are passed on to it.
        self.http: asyncio.Protocol = http  # type: ignore[assignment]
        self.polling: Polling | None = polling
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.http.data_received(data)

    def eof_received(self) -> bool | None:
        return self.http.eof_received()

    def pause_writing(self) -> None:
        self.http.pause_writing()

    def resume_writing(self) -> None:
        self.http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.http.connection_lost(exc)
        if self.polling is not None:
            self.polling.release()
