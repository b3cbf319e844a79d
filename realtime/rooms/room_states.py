"""How a room stands, told to its sessions where single notices would not do.

What quits cause is told together and slowly: in a large room one `state` is 16 KB to
each of hundreds, and one user may quit and join as often as they like.
"""

import asyncio
import logging

import orjson

from realtime.errors import ChatError
from realtime.rooms.feeds import RoomFeeds
from realtime.socketio.manager import ChatroomManager
from realtime.store.room_snapshot import RoomSnapshots

_logger = logging.getLogger(__name__)

# Least time between two of a room that quits cause.
STATE_SECONDS = 1.0

# What a node writes for them, over all rooms and sessions: a tenth of a core.
STATE_BYTES_A_SECOND = 2 * 1024 * 1024


class RoomStates:
    """Tells this node's sessions how rooms stand.

    Args:
        manager: Writes to the sessions of this node.
        feeds: The active rooms of this node.
        snapshots: Read marks and presence of rooms.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        manager: ChatroomManager,
        feeds: RoomFeeds,
        snapshots: RoomSnapshots,
        *,
        namespace: str,
    ) -> None:
        self._manager = manager
        self._feeds = feeds
        self._snapshots = snapshots
        self._namespace = namespace
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._changed)

    def changed(self, channel: str) -> None:
        """Have a room's sessions told soon, if it is active here."""
        if self._feeds.get(channel) is not None:
            self._changed.add(channel)
            self._wake.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            rooms, self._changed = self._changed, set()
            for channel in rooms:
                try:
                    # In a large room nobody is told of marks.
                    size = await self.tell(channel, large_rooms=False)
                    await asyncio.sleep(size / STATE_BYTES_A_SECOND)
                except ChatError as error:
                    _logger.warning("A state was not told: %s", error.message)
                    self.changed(channel)
                except Exception:
                    _logger.exception("The state of %s cannot be told", channel)
            await asyncio.sleep(STATE_SECONDS)

    async def tell(self, channel: str, *, large_rooms: bool) -> int:
        """Send this node's sessions in a room ``state``: what notices would have said.

        Args:
            channel: The room's channel; nobody is told if it is not active here.
            large_rooms: Whether rooms are told that are too large to list marks in.

        Returns:
            Bytes that are written for it, to all sessions.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        if self._feeds.get(channel) is None:
            return 0
        feed = await self._feeds.hold(channel)
        # What is announced while the state is read must not be lost in it.
        entry = feed.begin_entry()
        try:
            state = await self._snapshots.read(feed.room)
            if not (large_rooms or state.is_listed):
                return 0
            state.apply([*entry.notices, *entry.tail])
            payload = {"room": feed.room, **state.to_wire()}
            self._manager.tell(channel, "state", payload)
            told = self._manager.recipients(self._namespace, channel)
            return len(told) * len(orjson.dumps(payload))
        finally:
            feed.end_entry(entry)
            self._feeds.release(channel)
