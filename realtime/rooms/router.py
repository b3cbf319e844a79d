"""Delivery: what this node's sessions in a room are written, in one order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realtime import json_codec
from realtime.redis.pubsub import Batch
from realtime.socketio.fan_out import FanOut, Packet

if TYPE_CHECKING:
    from realtime.socketio.manager import ChatroomManager


class Delivery:
    """Writes to sessions what was published, and what the node tells them itself.

    Args:
        manager: Knows who is in which room, and takes what is not to be delivered.
        namespace: The Socket.IO namespace that plain event arrays belong to.
    """

    def __init__(self, manager: "ChatroomManager", namespace: str) -> None:
        self._manager = manager
        self._namespace = namespace
        self._prefix = f"2{namespace},"
        self._fan_out = FanOut(self._write)

    async def aclose(self) -> None:
        """Drop what still waits for large rooms."""
        await self._fan_out.aclose()

    def begin(self) -> None:
        """Hold back what is written to single sessions: publications are on the way."""
        self._manager.server.cork.is_in = True

    def receive(self, batch: Batch) -> None:
        """Take one read's publications, each room's in one write with acks due."""
        try:
            self._sort_out(batch)
        finally:
            self._manager.server.cork.pull()

    def _sort_out(self, batch: Batch) -> None:
        feeds, control = self._manager.feeds, self._manager.control
        together: dict[str, list[bytes]] = {}
        try:
            for name, payload in batch:
                channel = name.decode()
                if payload[:1] == b"{":
                    if events := together.pop(channel, None):
                        self.deliver(channel, events)
                    control.receive(payload)
                elif feeds.receive(channel, payload):
                    together.setdefault(channel, []).append(payload)
        finally:
            # Whatever else fails: to the feeds these count as delivered.
            for channel, events in together.items():
                self.deliver(channel, events)

    def deliver(self, channel: str, events: list[bytes]) -> None:
        """Write encoded event arrays to a room's sessions, without suspending."""
        # Somebody else may publish what is no UTF-8; it must not hold up the rest.
        packets = [self._prefix + event.decode(errors="replace") for event in events]
        self.send(self._namespace, channel, packets)

    def tell(self, room: str | None, event: str, payload: dict[str, object]) -> None:
        """Write an event to this node's sessions in a room.

        Args:
            room: A room or a session; None: all sessions.
            event: Its name.
            payload: Its argument.
        """
        packet = self._prefix + json_codec.dumps([event, payload])
        self.send(self._namespace, room, [packet])

    def send(
        self,
        namespace: str,
        room: Any,
        packets: Sequence[Packet],
        skip: Sequence[str] = (),
    ) -> None:
        """Write encoded packets to this node's sessions in a room, in order."""
        members = self._manager.recipients(namespace, room)
        if members:
            self._fan_out.send(_order(namespace, room), members, packets, skip)

    def forget(self, namespace: str, room: str, sid: str) -> None:
        """Leave a session out of what is still on its way to a room: it has left."""
        self._fan_out.forget(_order(namespace, room), sid)

    def backlog(self, channel: str) -> int:
        """Return how many hand-overs of a room are still going out."""
        if self._fan_out.is_idle:
            return 0
        return self._fan_out.backlog(_order(self._namespace, channel))

    @property
    def total_backlog(self) -> int:
        """Hand-overs of large rooms that are still going out."""
        return self._fan_out.total_backlog

    def _write(self, eio_sids: Any, packets: Sequence[Packet]) -> None:
        self._manager.server.fan_out(eio_sids, packets)


def _order(namespace: str, room: Any) -> str:
    """Return the name by which a room's packets are kept in order."""
    return f"{namespace},{room}"
