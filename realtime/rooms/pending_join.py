"""A join that is ready but for the step that writes its ack."""

from collections.abc import Callable, Sequence

import orjson

from realtime.errors import UnavailableError
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.recovery import Past
from realtime.store.membership import Admission
from realtime.store.room_state import RoomState

Present = Callable[[bytes], bytes]
"""Makes an event from the log fit to be shown now (fresh image URLs)."""


class PendingJoin:
    """What :meth:`finish` turns into an ack and a session in the fan-out.

    ``finish`` or ``cancel`` must be called, once.

    Args:
        user: Whose session it is.
        enter: Puts the session into the fan-out.
        close: Releases the room's feed.
        feed: The room on this node.
        entry: Collects what passes until the end.
        admission: Where the user stands in the room.
        state: Read marks and presence, as read after the entry began.
        past: Events up to the entry's start.
        present: Applied to each event.
    """

    def __init__(
        self,
        *,
        user: str,
        enter: Callable[[], None],
        close: Callable[[], None],
        feed: RoomFeed,
        entry: Entry,
        admission: Admission,
        state: RoomState,
        past: Past,
        present: Present,
    ) -> None:
        self._user = user
        self._enter = enter
        self._close = close
        self._feed = feed
        self._entry = entry
        self._admission = admission
        self._state = state
        self._past = past
        self._present = present

    def finish(self, allow: Callable[[int], None]) -> dict[str, object]:
        """Put the session into the fan-out and return its ack.

        Synchronous: the ack must be written in the same step. It then precedes the
        room's first live event, its ``events`` reach exactly up to that, and its
        ``reads`` and ``online`` are those of this moment.

        Args:
            allow: Given the bytes of the ack's events; raises if they are too many.

        Raises:
            UnavailableError: The room moved on too fast, its log broke, or the
                session asked again meanwhile.
            NotAttendingError: The session ended meanwhile.
        """
        try:
            if self._entry.broken:
                raise UnavailableError("The room changed meanwhile; join again.")
            events = [*self._past.events, *self._entry.tail]
            allow(sum(map(len, events)))
            self._enter()
        finally:
            self._close()
        entry = self._entry
        self._state.apply([*entry.notices, *entry.tail])
        announced = self._state.announced_mark(self._user)
        last_read = max(self._admission.last_read_message, announced)
        last_message = max(
            self._admission.last_message, _last_message(entry.tail), last_read
        )
        return {
            "room": self._feed.room,
            "cursor": str(self._feed.position),
            "recovered": self._past.recovered,
            "events": [orjson.Fragment(self._present(event)) for event in events],
            "lastMessage": last_message,
            "lastReadMessage": last_read,
            "unread": last_message - last_read,
            **self._state.to_wire(),
        }

    def cancel(self) -> None:
        """Give the join up."""
        self._close()


def _last_message(tail: Sequence[bytes]) -> int:
    """Return the highest message number among events, 0 if there is none."""
    for event in reversed(tail):
        if event.startswith(b'["message",'):
            number: int = orjson.loads(event)[1]["message"]
            return number
    return 0
