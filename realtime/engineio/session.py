"""One Engine.IO session: its transport, its state, and what it is busy with."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from realtime.engineio import frames, protocol
from realtime.engineio.frames import CloseCode
from realtime.engineio.polling import Polling
from realtime.engineio.protocol import PacketError, Reason
from realtime.engineio.websocket import NO_SOCKET, WebSocketConnection

if TYPE_CHECKING:
    from realtime.addresses import Address
    from realtime.engineio.hub import Hub

# Ends after which one more GET is answered: for what was queued when the server closed,
# or because it was on its way when the client did.
_ORDERLY: Final = frozenset((Reason.SERVER_DISCONNECT, Reason.CLIENT_DISCONNECT))


class Session:
    """A client's session over polling, WebSocket, or the one and then the other.

    It has no task, queue or timer of its own. ``closed``, ``connected`` and
    ``upgraded`` are read as on python-engineio's sockets.
    """

    __slots__ = (
        "_candidate",
        "_hub",
        "_in_flight",
        "_is_held",
        "_rest",
        "_transport",
        "_user_session",
        "_waiter",
        "_window",
        "address",
        "closed",
        "connected",
        "is_probed",
        "is_stranger",
        "paused",
        "sid",
        "socket_number",
    )

    def __init__(self, hub: "Hub", sid: str) -> None:
        self.sid = sid
        self._hub = hub
        self._transport: Polling | WebSocketConnection = Polling(
            self, hub.options.write_buffer_bytes
        )
        #: The WebSocket that asks to become the transport.
        self._candidate: WebSocketConnection | None = None
        #: Whether that WebSocket has sent its probe.
        self.is_probed = False
        #: Whether the handshake was answered.
        self.connected = False
        self.closed = False
        #: Where it comes from, while it is counted there.
        self.address: Address | None = None
        #: Whether nobody has proven yet whose it is.
        self.is_stranger = True
        #: The descriptor of an open WebSocket behind which nothing waits: broadcasts
        #: write to it, and touch none of the objects in between. Else ``NO_SOCKET``.
        self.socket_number = NO_SOCKET
        #: Nothing more is to be read from the client for now.
        self.paused = False
        self._in_flight = 0
        self._is_held = False
        #: While the client is made to wait for its own good time.
        self._rest: asyncio.TimerHandle | None = None
        #: Handlers that may work on what the client sent before it has to wait.
        self._window = hub.options.max_in_flight
        self._waiter: asyncio.Future[None] | None = None
        self._user_session: dict[Any, Any] | None = None

    # what python-engineio's users know

    @property
    def upgraded(self) -> bool:
        """Whether the transport is a WebSocket."""
        return isinstance(self._transport, WebSocketConnection)

    @property
    def session(self) -> dict[Any, Any]:
        """The application's dictionary for this session."""
        if self._user_session is None:
            self._user_session = {}
        return self._user_session

    @session.setter
    def session(self, value: dict[Any, Any]) -> None:
        self._user_session = value

    # out

    def send(self, data: str | bytes) -> None:
        """Send a message, now if the transport is a WebSocket."""
        if self._hub.observer is not None:
            self._hub.observer.packets_sent(1, len(data))
        self._transport.send_message(data)

    def send_with_next(self, data: str | bytes) -> None:
        """Send a message; while the cork is in, in one write with what follows it."""
        transport = self._transport
        if not self._hub.cork.is_in or not isinstance(transport, WebSocketConnection):
            self.send(data)
            return
        if self._hub.observer is not None:
            self._hub.observer.packets_sent(1, len(data))
        self._hub.cork.keep(self, frames.message_frame(data))

    def send_packet(self, packet: str) -> None:
        """Send an encoded packet."""
        self._transport.send_packet(packet)

    def send_built(self, frame: bytes, packets: list[str]) -> None:
        """Send what was encoded once for many sessions, in both forms."""
        if self._hub.observer is not None:
            self._hub.observer.packets_sent(len(packets), len(frame))
        transport = self._transport
        if isinstance(transport, WebSocketConnection):
            transport.write(frame)
        else:
            transport.send_packets(packets)

    def send_rest(self, data: bytes) -> None:
        """Send what the socket did not take of frames that were written to it."""
        if isinstance(self._transport, WebSocketConnection):
            self._transport.write(data)

    def ping(self) -> None:
        """Send the heartbeat's ping."""
        if isinstance(self._transport, WebSocketConnection):
            self._transport.write(frames.PING_PACKET_FRAME)
        else:
            self._transport.send_packet(protocol.PING)

    # in

    def receive(self, kind: str, data: str | bytes) -> None:
        """Handle a packet from the client.

        Raises:
            PacketError: for a packet that clients do not send.
        """
        if self.closed:
            return
        if self._hub.observer is not None:
            self._hub.observer.packet_received(len(data))
        if kind == protocol.MESSAGE:
            self._hub.dispatch(self, data)
        elif kind == protocol.PONG:
            self._hub.heartbeat.pong(self)
        elif kind == protocol.CLOSE:
            self.close(Reason.CLIENT_DISCONNECT)
        elif kind not in (protocol.UPGRADE, protocol.NOOP):
            raise PacketError("a packet that only servers send")

    @property
    def is_excused(self) -> bool:
        """Whether a pong may be late for a reason that is no fault of the client.

        It comes behind what we do not read for now, or behind a long message, such as
        an image, that is still arriving.
        """
        return self.paused or self._transport.is_receiving

    @property
    def unsent(self) -> int:
        """Bytes on their way to the client that the network has not taken yet."""
        return self._transport.unsent

    def has_place(self, size: int) -> bool:
        """Whether a message of so many bytes can be sent now and not end the session.

        Beside one long message, however long, only so much more may wait.
        """
        return self._transport.has_place(size)

    def begin_work(self) -> None:
        """Count a handler that began; at the bound the client waits."""
        self._in_flight += 1
        self._set_paused()

    def end_work(self) -> None:
        """Count a handler that ended."""
        self._in_flight -= 1
        if self._window < self._hub.options.max_in_flight and self._rest is None:
            self._window += 1
        self._set_paused()

    def slow_down(self, seconds: float) -> None:
        """Read nothing for a while, then one message; each that goes well allows more.

        So what is granted now and then does not let in a crowd that is not.

        For a client that asks for more than it may. What it sends meanwhile stays in
        the network's buffers, so that it has to wait; its heartbeat is excused.
        """
        if self._rest is None and not self.closed:
            self._window = 1
            self._rest = asyncio.get_running_loop().call_later(seconds, self._rested)
            self._set_paused()

    def _rested(self) -> None:
        self._rest = None
        self._set_paused()

    def hold(self) -> None:
        """Read no more, and announce no end, until :meth:`unhold`: order matters."""
        self._is_held = True
        self._set_paused()

    def unhold(self) -> None:
        """Go on after :meth:`hold`."""
        self._is_held = False
        if self.closed:
            self._hub.announce_held_end(self)
        self._set_paused()

    @property
    def is_held(self) -> bool:
        """Whether something is going on that the session's end must wait for."""
        return self._is_held

    def _set_paused(self) -> None:
        busy = (
            self._is_held or self._rest is not None or self._in_flight >= self._window
        )
        if busy == self.paused:
            return
        self.paused = busy
        if busy:
            if self._in_flight >= self._hub.options.max_in_flight:
                self._hub.limited["requests_under_way"] += 1
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if isinstance(self._transport, WebSocketConnection):
            self._transport.resume()

    async def wait_unpaused(self) -> None:
        """Return when packets may be handled again, or the session is closed."""
        while self.paused and not self.closed:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None

    # transports

    @property
    def polling(self) -> Polling | None:
        """The polling transport, None once there is a WebSocket."""
        return self._transport if isinstance(self._transport, Polling) else None

    @property
    def has_candidate(self) -> bool:
        """Whether a WebSocket is asking to become the transport."""
        return self._candidate is not None

    def begin_upgrade(self, candidate: WebSocketConnection) -> None:
        """Note a WebSocket that has ``upgrade_timeout`` seconds to prove itself."""
        self._candidate = candidate
        self.is_probed = False
        self._hub.upgrades.add(self)

    def release_poll(self) -> None:
        """Answer a waiting poll, with ``noop`` if with nothing else."""
        self.is_probed = True
        if self.polling is not None:
            self.polling.release()

    def give_up_upgrade(self, candidate: WebSocketConnection) -> None:
        """Go on polling: the candidate failed."""
        if self._candidate is candidate:
            self._candidate = None
            self.is_probed = False
            self._hub.upgrades.discard(self)

    def drop_candidate(self) -> None:
        """Close a WebSocket that did not prove itself in time; polling goes on."""
        candidate = self._candidate
        if candidate is not None:
            self.give_up_upgrade(candidate)
            candidate.close()

    def upgrade_to(self, connection: WebSocketConnection) -> None:
        """Make a WebSocket the transport; what waited for a poll goes over it first."""
        polling = self.polling
        self._candidate = None
        self._hub.upgrades.discard(self)
        self._transport = connection
        self.socket_number = connection.socket_number()
        if polling is None:
            return
        for packet in polling.take_all():
            if packet[0] == protocol.BINARY_PREFIX:
                connection.send_message(bytes(protocol.decode_packet(packet)[1]))  # type: ignore[arg-type]
            elif packet != protocol.NOOP:
                connection.send_packet(packet)
        polling.close(protocol.NOOP)

    def time_out(self) -> None:
        """End the session: no pong came in time."""
        self.close(Reason.PING_TIMEOUT)

    def close(self, reason: str, code: int = CloseCode.NORMAL) -> None:
        """End the session; the ``disconnect`` handler is told the reason.

        Over polling a waiting GET gets ``close``, or ``noop`` when the client itself
        closed. A GET that comes within ``close_timeout`` seconds gets the same, and
        before it what was queued when the server closed.
        """
        if self.closed:
            return
        self._hub.cork.release(self)
        if self.closed:
            # What was kept did not fit in: that was the end already.
            return
        if self._rest is not None:
            self._rest.cancel()
        self.closed = True
        self.socket_number = NO_SOCKET
        candidate, self._candidate = self._candidate, None
        if candidate is not None:
            candidate.close(code)
        if isinstance(self._transport, WebSocketConnection):
            self._transport.close(code)
        else:
            self._close_polling(self._transport, reason)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._hub.forget(self, reason)

    def _close_polling(self, polling: Polling, reason: str) -> None:
        client_closed = reason == Reason.CLIENT_DISCONNECT
        if reason != Reason.SERVER_DISCONNECT:
            polling.take_all()
        polling.close(protocol.NOOP if client_closed else protocol.CLOSE)
        if reason in _ORDERLY and self.connected:
            self._hub.linger(self.sid, polling)
