"""From Pub/Sub to this node's sessions: what was published, in one order."""

from collections.abc import Collection

from realtime.engineio.cork import Cork
from realtime.redis.pubsub import Batch
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.personal import Personal
from realtime.rooms.quitting import Quitting
from realtime.rooms.rooms_changed import RoomsChanged
from realtime.rooms.watch_check import WatchCheck
from realtime.socketio.manager import ChatroomManager
from realtime.socketio.remote import RemoteCalls
from realtime.store import events, keys
from realtime.traffic import Traffic


class Router:
    """Takes what Redis publishes and hands it to the rooms' fan-out.

    It is what :meth:`Subscriber.run` and :meth:`CatchUp.run` are given.

    Args:
        manager: Writes to the sessions of a room.
        feeds: The active rooms, which know what is next, known or missing.
        remote: Takes control messages.
        personal: Takes what is published to single users.
        changed: Shows on lists of rooms what passes.
        check: Finds what lists of rooms missed.
        quitting: Makes up for quits that a gap swallowed.
        cork: Keeps acks back while events are about to come that they can join.
        traffic: Counts how late messages are.
    """

    def __init__(
        self,
        *,
        manager: ChatroomManager,
        feeds: RoomFeeds,
        remote: RemoteCalls,
        quitting: Quitting,
        cork: Cork,
        personal: Personal,
        changed: RoomsChanged,
        check: WatchCheck,
        traffic: Traffic,
    ) -> None:
        self._personal = personal
        self._changed = changed
        self._check = check
        self._manager = manager
        self._feeds = feeds
        self._remote = remote
        self._quitting = quitting
        self._cork = cork
        self._traffic = traffic

    def due(self) -> None:
        """Hold back what is written to single sessions: publications are on the way."""
        self._cork.is_corked = True

    def receive(self, batch: Batch) -> None:
        """Take one read's publications, each room's in one write with acks due."""
        try:
            self._route(batch)
        finally:
            self._cork.uncork()

    def _route(self, batch: Batch) -> None:
        together: dict[str, list[bytes]] = {}
        try:
            for name, payload in batch:
                channel = name.decode()
                if events.is_control(payload):
                    if before := together.pop(channel, None):
                        self.deliver(channel, before)
                    self._remote.receive(payload)
                elif channel.startswith(keys.PERSONAL_PREFIX):
                    self._personal.receive(channel, payload)
                elif self._feeds.receive(
                    channel, payload, fits=self._manager.backlog(channel) < 1
                ):
                    together.setdefault(channel, []).append(payload)
                else:
                    # Of a room that nobody attends here, as a rule.
                    self._changed.passed(channel, payload)
        finally:
            # Whatever else fails: to the feeds these count as delivered.
            for channel, rest in together.items():
                self.deliver(channel, rest)

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Take note that publications, of these channels or all, may be missed."""
        self._feeds.lost(channels)
        self._personal.lost(channels)
        self._check.lost(channels)

    def ready(self, channels: Collection[str] | None = None) -> None:
        """Catch rooms up: their channels, or all, are subscribed again."""
        self._feeds.ready(channels)
        self._personal.ready(channels)
        self._check.ready(channels)

    def deliver(self, channel: str, encoded: list[bytes]) -> None:
        """Write encoded event arrays to a room's sessions, without suspending.

        Whom one of them puts out gets none of the others behind it.
        """
        told = 0
        for index, event in enumerate(encoded):
            if (user := events.put_out(event)) is not None:
                self._manager.send_events(channel, encoded[told : index + 1])
                told = index + 1
                position, _ = events.as_log_event(event)
                self._quitting.put_out(channel, user, position.offset)
        if rest := encoded[told:]:
            self._manager.send_events(channel, rest)
        # Of one read the last one: the others waited as long, but for microseconds.
        if (stored_at := events.stored_at(encoded[-1])) is not None:
            self._traffic.wrote(stored_at)
        for event in encoded:
            self._changed.passed(channel, event)

    def backlog(self, channel: str) -> float:
        """Return how full a room's fan-out is: 1 is the bound."""
        return self._manager.backlog(channel)

    async def after_gap(self, channel: str) -> None:
        """Make up for notices that a room may have missed, quits among them."""
        await self._quitting.after_gap(channel)
