"""What the handlers are given: the parts that carry requests out."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from realtime.auth.authenticator import Authenticator
from realtime.images.service import Images
from realtime.presence.sessions import Sessions
from realtime.rates import RequestRates
from realtime.rooms.attendance import Attendance
from realtime.rooms.quitting import Quits
from realtime.socketio.manager import ChatroomManager
from realtime.store import keys
from realtime.store.image_uses import ImageUses
from realtime.store.membership import Rooms
from realtime.store.message_log import MessageLog
from realtime.store.read_marks import ReadState
from realtime.store.user_rates import UserRates


class Publisher:
    """Publishes events that are not of the log: at most once, to whoever attends.

    Args:
        manager: Publishes on the rooms' channels.
        namespace: The Socket.IO namespace of the events.
    """

    def __init__(self, manager: ChatroomManager, namespace: str = "/chat") -> None:
        self._manager = manager
        self._namespace = namespace

    async def publish(
        self, room: str, event: str, payload: Mapping[str, object]
    ) -> None:
        """Publish an event to all sessions that attend a room.

        Raises:
            UnavailableError: It was not published.
            OutcomeUnknownError: It may have been published.
        """
        await self._manager.emit(
            event, dict(payload), namespace=self._namespace, room=keys.channel(room)
        )


class Limits(NamedTuple):
    """How much of something there may be at this node."""

    user_sessions: int
    address_sessions: int
    node_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of one node, wired by :mod:`realtime.node.wiring`."""

    auth: Authenticator
    sessions: Sessions
    log: MessageLog
    reads: ReadState
    rooms: Rooms
    attendance: Attendance
    quits: Quits
    images: Images
    image_uses: ImageUses
    publisher: Publisher
    rates: RequestRates
    user_rates: UserRates
    limits: Limits
    limited: Counter[str]
    """How often each limit of :mod:`realtime.limits` was met."""
