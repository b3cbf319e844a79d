"""The Socket.IO server: python-socketio's, put right and with a fast way out.

``ChatroomServer`` takes the keywords of ``socketio.AsyncServer`` and can stand in its
place. It adds a synchronous fan-out of encoded packets, acks that are decided in the
step that writes them, and keeps clients from calling the server's own handlers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import socketio
from engineio import packet as engine_packet

from realtime.deferred_ack import DeferredAck
from realtime.errors import UnknownEventError

# Words that the protocol's libraries use for their own events. A client that emits
# one of them would otherwise run the server's handler of that name.
RESERVED_EVENTS = frozenset(
    {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    }
)


class ChatroomServer(socketio.AsyncServer):
    """A Socket.IO v5 server, attached to an aiohttp application.

    Takes the keywords of ``socketio.AsyncServer`` (``async_mode="aiohttp"``).
    """

    def fan_out(self, eio_sids: Iterable[str], packets: Sequence[str]) -> None:
        """Write encoded Socket.IO text packets to sessions, now and without waiting.

        Args:
            eio_sids: Engine.IO session ids. One that is unknown or closed is skipped.
            packets: Complete text packets such as ``2/chat,["message",{...}]``. Every
                session gets all of them, in this order, after whatever was written to
                it before this call.
        """
        built = [
            engine_packet.Packet(engine_packet.MESSAGE, data=text) for text in packets
        ]
        sockets = self.eio.sockets
        for eio_sid in eio_sids:
            socket = sockets.get(eio_sid)
            if socket is None or socket.closed:
                continue
            for each in built:
                socket.queue.put_nowait(each)

    def reserved_event_answer(self, event: str) -> object:
        """Return the ack's value for a client's event whose name is reserved."""
        error = UnknownEventError(f"{event} is a reserved event name.")
        return {"ok": False, "error": error.to_wire()}

    async def _handle_event_internal(
        self,
        server: Any,
        sid: str,
        eio_sid: str,
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002 - the library's name
    ) -> None:
        if data[0] in RESERVED_EVENTS:
            answer = self.reserved_event_answer(data[0])
        else:
            answer = await self._trigger_event(data[0], namespace, sid, *data[1:])
        if isinstance(answer, DeferredAck):
            answer = answer.resolve()
        if id is None or answer is self.not_handled:
            return
        if answer is None:
            values = []
        else:
            values = list(answer) if isinstance(answer, tuple) else [answer]
        packet = self.packet_class(3, namespace=namespace, id=id, data=values)
        encoded = packet.encode()
        socket = self.eio.sockets.get(eio_sid)
        if socket is None or socket.closed:
            return
        for part in encoded if isinstance(encoded, list) else [encoded]:
            socket.queue.put_nowait(
                engine_packet.Packet(engine_packet.MESSAGE, data=part)
            )
