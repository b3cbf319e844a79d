"""The long-polling transport of one session: what waits for its next GET.

Also where a WebSocket session's packets wait until its handshake is done.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from realtime.engineio import protocol
from realtime.engineio.http_connection import HttpConnection
from realtime.engineio.interfaces import Closable
from realtime.engineio.message_rate import MessageAllowance
from realtime.engineio.protocol import Reason


class Polling:
    """Packets in order, bounded in bytes, and the GET that waits for them.

    Args:
        session: The session, which is closed when the bound is passed.
        limit: Bytes (characters of encoded packets) that may wait, beside the longest
            packet since nothing waited.
        rate: Packets that POSTs may bring; as of :class:`MessageAllowance`.

    Attributes:
        allowance: Counts them.
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
        "allowance",
        "poll_active",
        "post_active",
    )

    def __init__(
        self, session: Closable, limit: int, rate: tuple[float, int] | None
    ) -> None:
        self._session: Closable | None = session
        self._limit = limit
        self.allowance = MessageAllowance(rate)
        self._packets: list[str] = []
        self._size = 0
        # The longest packet queued since nothing waited.
        self._longest_size = 0
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._repeatable: tuple[str, bytes] | None = None
        # What the last poll's answer went over.
        self._answered_over: HttpConnection | None = None
        # A GET, or a POST, of this session is being served.
        self.poll_active = False
        self.post_active = False

    def set_rate(self, rate: tuple[float, int] | None) -> None:
        """Allow so many packets from now on."""
        self.allowance = MessageAllowance(rate)

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

    def abandon(self) -> None:
        """Drop what the client has not taken: it will not come for it any more."""
        self.take_all()
        self._repeatable = None
        connection, self._answered_over = self._answered_over, None
        if connection is not None:
            connection.abort_if_unread()

    @property
    def is_receiving(self) -> bool:
        """Whether the body of a POST is arriving or being handled."""
        return self.post_active

    @property
    def unsent_bytes(self) -> int:
        """Bytes of the last poll's answer that wait for the network to take them."""
        connection = self._answered_over
        return 0 if connection is None else connection.unsent_bytes

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
        self, name: str | None, payload: bytes, transport: asyncio.Transport | None
    ) -> None:
        """Keep what a poll was answered with until the next one.

        Args:
            name: The poll's ``t`` parameter.
            payload: The answer.
            transport: What the answer goes over.
        """
        self._answered_over = HttpConnection.of(transport) if transport else None
        self._repeatable = (name, payload) if name else None

    def take_repeat(self, name: str | None) -> bytes | None:
        """Return once more what a poll was answered with, if it did not arrive.

        Browsers and HTTP libraries silently repeat a GET whose connection breaks before
        the answer: without this the packets of that answer would be lost. That two
        polls have one ``t`` says little: some clients count it in seconds. So it is the
        same poll only if the connection of its answer broke. If the connection ended
        in order, a proxy may have swallowed the answer, or the client closes its
        connections: then a ``t`` that is no plain number, which no clock made, decides.
        """
        kept, connection = self._repeatable, self._answered_over
        self._repeatable = None
        if kept is None or kept[0] != name or connection is None:
            return None
        is_unique = not kept[0].isdecimal()
        if connection.has_failed() or (is_unique and connection.has_ended()):
            return kept[1]
        return None

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
        connection = HttpConnection.of(transport)
        connection.on_lost = self.release
        try:
            await self._waiter
        finally:
            self._waiter = None
            connection.on_lost = None
        return not connection.is_lost
