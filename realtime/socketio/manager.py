"""The Socket.IO client manager: a Redis channel a room, and one order for all nodes.

Everything a room's sessions receive comes back through Redis, at the node that sent it
as well, so that all nodes see one order. A node is subscribed to a room's channel only
while it has a session in that room.
"""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

import socketio
from socketio import packet as socket_packet

from realtime import json_codec
from realtime.limits import new_counts
from realtime.redis.client import RedisLink
from realtime.redis.pubsub import Subscriber
from realtime.redis.url import connection_factory
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.position_check import TopCheck
from realtime.rooms.replay_buffer import RECENT_NODE_BYTES, RecentMemory
from realtime.rooms.router import Delivery
from realtime.socketio.remote import ControlMessages
from realtime.socketio.room_index import RoomIndex
from realtime.store import keys, scripts
from realtime.store.message_log import MessageLog
from realtime.store.position import position_of

log = logging.getLogger(__name__)

CALLS_LIMIT = 20_000
"""Redis calls under way at once, if the manager makes its own link: some 20 MB."""


ROOM_METHODS = frozenset({"emit", "close_room"})
"""Control messages that only nodes with a session in the room need."""


class ChatroomManager(RoomIndex, socketio.AsyncRedisManager):
    """Rooms over several nodes.

    A room named ``chatroom-<id>`` has the channel of the same name; what is emitted to
    it without extras (skip_sid, callback, binary) is published as the Socket.IO event
    array itself, readable with ``redis-cli SUBSCRIBE chatroom-<id>``. All else travels
    as a control message, an object that begins with ``{``: on the room's channel when
    it is for a chat room, else on the channel that all nodes share.

    Unlike the stock manager it raises when it cannot publish.

    Args:
        url: Redis address, as :func:`realtime.redis.url.connection_factory` takes it.
        channel: The channel that all nodes share.
        write_only: Only emit, from a process without a server.
        link: Commands' connection to share; the manager makes its own if None.
        message_log: Reads the rooms' logs; made by the manager if None.
        namespace: The namespace that plain event arrays belong to.
        timeout_seconds: Deadline of Redis commands and connects.
        silence_seconds: Silence after which the Pub/Sub connection is given up.
        limited: Counts how often a limit of :mod:`realtime.limits` was met.
        recent_bytes: Bytes of recent events that are kept in memory, of all rooms.
    """

    name = "chatroom"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = "chatroom",
        write_only: bool = False,
        *,
        logger: Any = None,
        link: RedisLink | None = None,
        message_log: MessageLog | None = None,
        namespace: str = "/chat",
        timeout_seconds: float = 3.0,
        silence_seconds: float = 2.0,
        limited: Counter[str] | None = None,
        recent_bytes: int = RECENT_NODE_BYTES,
    ) -> None:
        # Past AsyncRedisManager's own constructor, which would open a client.
        super(socketio.AsyncRedisManager, self).__init__(
            channel=channel, write_only=write_only, logger=logger
        )
        self._start_index()
        self.json = json_codec
        factory = connection_factory(url, timeout_seconds=timeout_seconds)
        self._own_link = link is None
        self._link = link or RedisLink(
            factory,
            timeout_seconds=timeout_seconds,
            limit_calls=CALLS_LIMIT,
            scripts=scripts.ALL,
        )
        self._namespace = namespace
        self.limited = new_counts() if limited is None else limited
        self.control = ControlMessages(self)
        self.delivery = Delivery(self, namespace)
        self.subscriber = Subscriber(
            factory,
            on_batch=self.delivery.receive,
            on_lost=lambda: self.feeds.lost(),
            on_ready=lambda: self.feeds.ready(),
            on_due=self.delivery.begin,
            connect_seconds=timeout_seconds,
            silence_seconds=silence_seconds,
        )
        reader = message_log or MessageLog.reader(self._link)
        self.feeds = RoomFeeds(
            reader,
            self.subscriber,
            deliver=self.delivery.deliver,
            backlog=self.delivery.backlog,
            open_seconds=timeout_seconds,
            memory=RecentMemory(recent_bytes, self.limited),
        )
        self._top_check = TopCheck(reader, self.feeds, self.subscriber)
        self._started = False

    # Life.

    def initialize(self) -> None:
        """Start when the server gets its first connection, unless started before."""
        self.start()

    def start(self) -> None:
        """Connect to Redis; repeating it is fine. Needs a running loop."""
        if self._started:
            return
        self._started = True
        if self._own_link:
            self._link.start()
        if not self.write_only:
            # Confirmed before the subscriber is ready, which is what readiness asks.
            self._shared = self.subscriber.subscribe(self.channel)
            self.subscriber.start()
            self._top_check.start()
            self.control.start()

    async def aclose(self) -> None:
        """End all tasks and connections."""
        await self._top_check.aclose()
        await self.feeds.aclose()
        await self.subscriber.aclose()
        await self.control.aclose()
        await self.delivery.aclose()
        if self._own_link:
            await self._link.aclose()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    # Out: to all nodes.

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
        message = self.control.emission(
            event, arguments, namespace, room, skip_sid, callback
        )
        if here:
            self.control.emit_here({**message, "host_id": self.host_id})
        else:
            await self._publish(message)

    def _is_own_session(self, namespace: str, room: Any) -> bool:
        """A session of this node is reached without Redis, also when that is away."""
        return isinstance(room, str) and self.is_sid_room(namespace, room)

    @property
    def server_packet_class(self) -> Any:
        """The packet class of the server, or the library's without a server."""
        return self.server.packet_class if self.server else socket_packet.Packet

    async def close_room(self, room: str, namespace: str | None = None) -> None:
        """Take everybody out of a room, on all nodes."""
        await self._publish(
            {"method": "close_room", "room": room, "namespace": namespace or "/"}
        )

    async def disconnect(self, sid: str, namespace: str, **keywords: Any) -> None:
        """Forget a session of this node, or end one of another node."""
        if keywords.get("ignore_queue") or self.eio_sid_from_sid(sid, namespace):
            self.basic_disconnect(sid, namespace)
        else:
            await self._publish(
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
        if not _is_channel(room):
            self.basic_enter_room(sid, namespace, room)
            return
        await self.feeds.hold(room)
        try:
            self.basic_enter_room(sid, namespace, room)
        finally:
            self.feeds.release(room)

    def basic_enter_room(
        self, sid: str, namespace: str, room: str, eio_sid: str | None = None
    ) -> None:
        """As the index does; the first session keeps the room's channel."""
        first = not self._members(namespace, room)
        super().basic_enter_room(sid, namespace, room, eio_sid)
        if first and _is_channel(room):
            self.feeds.keep(room)

    def _remove_member(self, namespace: str, room: str | None, sid: str) -> None:
        super()._remove_member(namespace, room, sid)
        if room is not None and _is_channel(room):
            self.delivery.forget(namespace, room, sid)
            if not self._members(namespace, room):
                self.feeds.release(room)

    async def _publish(self, data: Mapping[str, Any]) -> None:
        """Publish a control message to the nodes that it concerns."""
        # A node hears a room's channel only while it has a session in the room, so
        # what concerns a session's way in must go where every node listens.
        own = data["method"] in ROOM_METHODS and _is_channel(data.get("room"))
        channel = data["room"] if own else self.channel
        # The answer to a callback names the node that asked.
        message = json_codec.dumps({"host_id": self.host_id, **data})
        await self._publish_bytes(channel, message.encode())

    async def _publish_bytes(self, channel: str, payload: bytes) -> None:
        if not self._started:
            self.start()
        await self._link.call("PUBLISH", channel, payload, resend=False)


def _is_channel(room: Any) -> bool:
    return isinstance(room, str) and room.startswith(keys.CHANNEL_PREFIX)


def _arguments(data: Any) -> list[Any]:
    """Return the event's arguments by the library's rule: a tuple is several."""
    if isinstance(data, tuple):
        return list(data)
    return [] if data is None else [data]
