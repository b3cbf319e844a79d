"""Standing: this node's sessions in a room are told how it stands."""

from realtime.socketio.manager import ChatroomManager
from realtime.store.room_state import RoomStates


class Standing:
    """Sends the ``state`` event, which makes up for notices that did not come.

    Args:
        manager: Holds the rooms' sessions of this node.
        states: Read marks and presence of rooms.
    """

    def __init__(self, manager: ChatroomManager, states: RoomStates) -> None:
        self._manager = manager
        self._states = states

    async def tell(self, channel: str, *, large_rooms: bool) -> None:
        """Tell all sessions of a room that is active here; nobody if it is not.

        Args:
            channel: The room's channel.
            large_rooms: Whether rooms are told that are too large to list marks in.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        feeds = self._manager.feeds
        if feeds.get(channel) is None:
            return
        feed = await feeds.hold(channel)
        # What is announced while the state is read must not be lost in it.
        entry = feed.begin_entry()
        try:
            state = await self._states.read(feed.room)
            if not (large_rooms or state.is_listed):
                return
            state.apply([*entry.notices, *entry.tail])
            payload = {"room": feed.room, **state.to_wire()}
            self._manager.delivery.tell(channel, "state", payload)
        finally:
            feed.end_entry(entry)
            feeds.release(channel)
