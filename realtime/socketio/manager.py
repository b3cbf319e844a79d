"""The Socket.IO client manager: a Redis channel a room, and one order for all nodes.

Everything a room's sessions receive comes back through Redis, at the node that sent it
as well, so that all nodes see one order. A node is subscribed to a room's channel only
while it has a session in that room.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeGuard

import socketio
from socketio import packet as socket_packet

from realtime import json_codec
from realtime.redis.client import RedisClient
from realtime.redis.site import RedisSite
from realtime.socketio.fan_out import FanOut
from realtime.socketio.node_sids import mark_of, mark_of_host, new_sid
from realtime.socketio.remote import emission, emit_here
from realtime.socketio.room_index import RoomIndex
from realtime.socketio.sweep import Packet
from realtime.store import keys
from realtime.store.events import position_of

# Redis calls under way at once of a manager without a server: some 20 MB.
CALLS_LIMIT = 20_000

# Control messages that only nodes with a session in the room need.
ROOM_METHODS = frozenset({"emit", "close_room"})

# Control messages that only the session's own node needs.
SESSION_METHODS = frozenset({"disconnect", "enter_room", "leave_room"})


class Channels(Protocol):
    """Keeps the channels of chat rooms subscribed, by reference counts."""

    async def hold(self, channel: str) -> object:
        """Subscribe a channel, and return once publications arrive."""
        ...

    def keep(self, channel: str) -> None:
        """Add a hold to a channel that is subscribed already: a room is occupied."""
        ...

    def release(self, channel: str) -> None:
        """Give one hold back: a room is empty."""
        ...


class ChatroomManager(RoomIndex, socketio.AsyncRedisManager):
    """Memberships over several nodes.

    A room named ``chatroom-<id>`` has the channel of the same name; what is emitted to
    it without extras (skip_sid, callback, binary) is published as the Socket.IO event
    array itself, readable with ``redis-cli SUBSCRIBE chatroom-<id>``. All else travels
    as a control message, an object that begins with ``{``: on the room's channel when
    it is for a chat room, on that of a session's node when it is for one session, else
    on the channel that all nodes share.

    Unlike the stock manager it raises when it cannot publish.

    Args:
        url: Redis address, as :class:`realtime.redis.site.RedisSite` takes it.
        channel: The channel that all nodes share.
        write_only: Only emit, from a process without a server; use it as a context.
        redis: Commands' connection to share; without one the manager makes its own.
        channels: The channels of chat rooms; a server's manager needs them.
        namespace: The namespace that plain event arrays belong to.
        timeout_seconds: Deadline of Redis commands and connects.

    Attributes:
        delivered: Events that were handed to sessions, one for each that gets it.
    """

    name = "chatroom"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = keys.CONTROL_CHANNEL,
        write_only: bool = False,
        *,
        logger: Any = None,
        redis: RedisClient | None = None,
        channels: Channels | None = None,
        namespace: str = "/chat",
        timeout_seconds: float = 3.0,
    ) -> None:
        # Past AsyncRedisManager's own constructor, which would open a client.
        super(socketio.AsyncRedisManager, self).__init__(
            channel=channel, write_only=write_only, logger=logger
        )
        self._start_index()
        self._mark = mark_of_host(self.host_id)
        self.json = json_codec
        self._own_redis: RedisClient | None = None
        if redis is None:
            site = RedisSite(url, timeout_seconds=timeout_seconds)
            redis = self._own_redis = site.client(limit_calls=CALLS_LIMIT)
        self._redis = redis
        self._channels = channels
        self._namespace = namespace
        self._prefix = f"2{namespace},"
        self._fan_out = FanOut(self._write)
        self.delivered = 0

    # Life.

    def initialize(self) -> None:
        """Start nothing: whoever made the manager runs its parts."""

    async def run(self) -> None:
        """Serve large rooms until cancelled."""
        await self._fan_out.run()

    async def __aenter__(self) -> Self:
        if self._own_redis is not None:
            self._own_redis.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._own_redis is not None:
            await self._own_redis.aclose()

    def _new_sid(self) -> str:
        return new_sid(self._mark)

    @property
    def control_channels(self) -> tuple[str, str]:
        """The channel that all nodes hear, and that of this node."""
        return self.channel, keys.node_channel(self._mark)

    # To this node's sessions.

    def send(
        self,
        namespace: str,
        room: Any,
        packets: Sequence[Packet],
        skip: Collection[str] = (),
    ) -> None:
        """Write encoded packets to this node's sessions in a room, in order.

        Args:
            namespace: Theirs.
            room: A room or a session; None: all sessions of the namespace. Of several
                rooms each in its turn, without those who were told already.
            packets: Complete Socket.IO packets and attachments.
            skip: sids left out.
        """
        if isinstance(room, (list, tuple)):
            for each in room:
                self.send(namespace, each, packets, skip)
                skip = {*skip, *self.recipients(namespace, each)}
            return
        members = self.recipients_of_one(namespace, room)
        if members:
            self.delivered += len(members) * len(packets)
            self._fan_out.send((namespace, room), members, packets, skip)

    def send_events(self, channel: str, events: Sequence[bytes]) -> None:
        """Write encoded event arrays to a chat room's sessions of this node."""
        # Somebody else may publish what is no UTF-8; it must not hold up the rest.
        packets = [self._prefix + event.decode(errors="replace") for event in events]
        self.send(self._namespace, channel, packets)

    def tell(self, room: str | None, event: str, payload: Mapping[str, object]) -> None:
        """Write an event to this node's sessions in a room.

        Args:
            room: A room or a session; None: all sessions.
            event: Its name.
            payload: Its argument.
        """
        packet = self._prefix + json_codec.dumps([event, payload])
        self.send(self._namespace, room, [packet])

    def send_where_it_fits(self, sids: Iterable[str], event: bytes) -> list[str]:
        """Write an encoded event array to those of these sessions that can take it.

        Returns:
            Those that were told, or are gone; the others read too slowly now.
        """
        packet = self._prefix + event.decode()
        told: list[str] = []
        addresses: list[str] = []
        for sid in sids:
            eio_sid = self.eio_sid_from_sid(sid, self._namespace)
            connection = eio_sid and self.server.eio.sockets.get(eio_sid)
            if connection and not connection.can_buffer(len(packet)):
                continue
            told.append(sid)
            if eio_sid:
                addresses.append(eio_sid)
        self.delivered += len(addresses)
        self._write(addresses, [packet])
        return told

    def backlog(self, channel: str) -> float:
        """Return how full a chat room's fan-out is: 1 is the bound."""
        if not self._fan_out.waiting_bytes:
            return 0.0
        return self._fan_out.backlog((self._namespace, channel))

    @property
    def waiting_bytes(self) -> int:
        """Bytes of packets that are on their way round rooms."""
        return self._fan_out.waiting_bytes

    def _write(self, eio_sids: Any, packets: Sequence[Packet]) -> None:
        self.server.eio.broadcast(eio_sids, packets)

    # To all nodes.

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str | None = None,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        **keywords: Any,
    ) -> None:
        """Emit to a session, a room or everybody, on all nodes.

        Takes what ``socketio.AsyncServer.emit`` takes.

        Raises:
            UnavailableError: Nothing was sent.
            OutcomeUnknownError: It may have been sent.
        """
        room = to or room
        namespace = namespace or "/"
        arguments = _arguments(data)
        here = bool(keywords.get("ignore_queue")) or self._is_own_session(
            namespace, room
        )
        plain = (
            callback is None
            and not skip_sid
            and namespace == self._namespace
            and _is_channel(room)
            and not self.server_packet_class.data_is_binary(arguments)
        )
        if plain and not here:
            payload = json_codec.dumps([event, *arguments]).encode()
            # An application's event that looks like one of the log would be taken for
            # a gap in it.
            if position_of(payload) is None:
                await self._publish_bytes(room, payload)
                return
        if callback is not None:
            if self.server is None:
                raise RuntimeError("callbacks need a server to come back to")
            if room is None:
                raise ValueError("a callback needs a room")
            callback = (room, namespace, self.keep_callback(room, callback))
        message = emission(
            self.server_packet_class,
            event,
            arguments,
            namespace,
            room,
            skip_sid,
            callback,
        )
        if here:
            emit_here(self, {**message, "host_id": self.host_id})
        else:
            await self.publish_control(message)

    def _is_own_session(self, namespace: str, room: Any) -> bool:
        """A session of this node is reached without Redis, also when that is away."""
        return isinstance(room, str) and self.is_sid_room(namespace, room)

    @property
    def server_packet_class(self) -> Any:
        """The packet class of the server, or the library's without a server."""
        return self.server.packet_class if self.server else socket_packet.Packet

    async def close_room(self, room: str, namespace: str | None = None) -> None:
        """Take everybody out of a room, on all nodes."""
        await self.publish_control(
            {"method": "close_room", "room": room, "namespace": namespace or "/"}
        )

    async def disconnect(self, sid: str, namespace: str, **keywords: Any) -> None:
        """Forget a session of this node, or end one of another node."""
        if keywords.get("ignore_queue") or self.eio_sid_from_sid(sid, namespace):
            self.basic_disconnect(sid, namespace)
        else:
            await self.publish_control(
                {"method": "disconnect", "sid": sid, "namespace": namespace or "/"}
            )

    async def enter_room(
        self, sid: str, namespace: str, room: str, eio_sid: str | None = None
    ) -> None:
        """Put a session into a room, wherever it is connected.

        Returns once the room's channel is subscribed, if the session is of this node.
        """
        if self.eio_sid_from_sid(sid, namespace) is None:
            await super().enter_room(sid, namespace, room, eio_sid=eio_sid)
            return
        if self._channels is None or not _is_channel(room):
            self.basic_enter_room(sid, namespace, room)
            return
        await self._channels.hold(room)
        try:
            self.basic_enter_room(sid, namespace, room)
        finally:
            self._channels.release(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        """As the index does; a session that stays connected gets what is due first."""
        if not self._fan_out.is_idle and self.is_connected(sid, namespace):
            self._fan_out.leave((namespace, room), sid, last=True)
        super().basic_leave_room(sid, namespace, room)

    def _add_member(
        self, namespace: str, room: str | None, sid: str, address: str
    ) -> None:
        """As the index does; the first session keeps the room's channel."""
        first = not self._members(namespace, room)
        super()._add_member(namespace, room, sid, address)
        if not self._fan_out.is_idle:
            self._fan_out.enter((namespace, room), sid, address)
        if first and self._channels is not None and _is_channel(room):
            self._channels.keep(room)

    def _remove_member(self, namespace: str, room: str | None, sid: str) -> None:
        super()._remove_member(namespace, room, sid)
        if not self._fan_out.is_idle:
            self._fan_out.leave((namespace, room), sid)
        if self._channels is None or not _is_channel(room):
            return
        if not self._members(namespace, room):
            self._channels.release(room)

    async def publish_control(self, message: Mapping[str, Any]) -> None:
        """Publish a control message to the nodes that it concerns."""
        # A node hears a room's channel only while it has a session in the room, so
        # what concerns a session's way in must go where every node listens.
        room = message.get("room")
        if message["method"] in ROOM_METHODS and _is_channel(room):
            channel = str(room)
        else:
            channel = self._channel_of_node(message)
        # The answer to a callback names the node that asked.
        encoded = json_codec.dumps({"host_id": self.host_id, **message})
        await self._publish_bytes(channel, encoded.encode())

    def _channel_of_node(self, message: Mapping[str, Any]) -> str:
        """Return the channel of the one node that is concerned, or that of all."""
        mark = None
        if message["method"] == "callback":
            mark = mark_of_host(message["host_id"])
        elif message["method"] in SESSION_METHODS:
            mark = mark_of(message["sid"])
        elif message["method"] == "emit":
            mark = mark_of(message.get("room"))
        return self.channel if mark is None else keys.node_channel(mark)

    # The name by which AsyncPubSubManager's own methods publish.
    _publish = publish_control

    async def _publish_bytes(self, channel: str, payload: bytes) -> None:
        if self._own_redis is not None:
            self._own_redis.start()
        await self._redis.publish(channel, payload)


def _is_channel(room: Any) -> TypeGuard[str]:
    return isinstance(room, str) and room.startswith(keys.CHANNEL_PREFIX)


def _arguments(data: Any) -> list[Any]:
    """Return the event's arguments by the library's rule: a tuple is several."""
    if isinstance(data, tuple):
        return list(data)
    return [] if data is None else [data]
