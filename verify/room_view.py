"""A room as a client sees it: where it is, and what it writes down. No I/O.

Nothing is repaired here: no event is dropped for being known, nothing is put into
order. What the server hands over is what is shown, so that the checker sees it.
"""

from collections.abc import Callable
from typing import Any

from verify.history import Began, Read, Record, Shown

GARBLED = "garbled"
"""Written down in place of the clientId when a text is not what was sent."""


UNNAMED = "*"
"""In a text, for the clientId that its sender's client had still to choose."""


class RoomView:
    """One room of one client.

    Attributes:
        offset: Of the last event that was shown, or of the join.
        acked_offset: Highest offset of this client's own messages since the view
            began.

    Args:
        room: Room id.
        write: Writes a record into the history.
        clock: Returns the time.
    """

    def __init__(
        self, room: str, write: Callable[[Record], None], clock: Callable[[], float]
    ) -> None:
        self.room = room
        self._write = write
        self._clock = clock
        self.cursor: str | None = None
        self.offset = 0
        self.acked_offset = 0
        self.last_message = 0
        self.attended = False
        self._asked = False
        self._reload = False

    def ask(self) -> dict[str, object]:
        """Return the payload of a join. Until its ack live events are not shown."""
        self._asked = True
        if self.cursor is None:
            return {"room": self.room}
        return {"room": self.room, "cursor": self.cursor}

    def forget(self) -> None:
        """Begin anew with the next join, unless one is under way."""
        if not self._asked and not self.attended:
            self.cursor = None

    def lost(self) -> None:
        """The connection ended: nothing is attended, nothing is asked."""
        self.attended = False
        self._asked = False

    def joined(self, ack: dict[str, Any]) -> None:
        """Take the ack of a join that succeeded."""
        if not ack["recovered"]:
            offset = int(ack["cursor"].partition(":")[0])
            began = Began(self._clock(), self.room, offset, self.cursor, self._reload)
            self._write(began)
            # It may have been of a past that is lost.
            self.acked_offset = 0
        self._reload = False
        self._asked = False
        # Else what was missed is more than one answer holds: ask again from its end.
        self.attended = not ack.get("more")
        for name, payload in ack["events"]:
            self._show(name, payload)
        self.cursor = ack["cursor"]
        self.offset = int(ack["cursor"].partition(":")[0])
        self._standing(ack)

    def event(self, name: str, payload: dict[str, Any]) -> bool:
        """Take a live event; true if the room is to be joined again."""
        if self._asked:
            # The ack will tell where the room stands, this event included.
            return False
        if name == "reload":
            self.cursor = None
            self._reload = True
            # What comes until the next join belongs to a past that is not known.
            self._asked = True
            return True
        if name == "read":
            number = payload["lastReadMessage"]
            self._write(Read(self._clock(), self.room, payload["user"], number))
        elif name == "state":
            self._standing(payload)
        elif "offset" in payload:
            self._show(name, payload)
        return False

    def _standing(self, payload: dict[str, Any]) -> None:
        for user, message in (payload.get("reads") or {}).items():
            self._write(Read(self._clock(), self.room, user, message))

    def _show(self, name: str, payload: dict[str, Any]) -> None:
        is_message = name == "message"
        self._write(
            Shown(
                self._clock(),
                self.room,
                payload["offset"],
                payload["uid"],
                payload["message"] if is_message else 0,
                payload["user"] if is_message else "",
                _client_id(payload) if is_message else "",
            )
        )
        self.offset = payload["offset"]
        self.cursor = f"{payload['offset']}:{payload['uid']}"
        if is_message:
            self.last_message = payload["message"]


def text_of(client_id: str, length: int) -> str:
    """Return a text that tells whether it arrived as it was sent."""
    return f"{client_id}/{'x' * length}/{length}"


def _client_id(payload: dict[str, Any]) -> str:
    client_id, _, rest = str(payload.get("text")).partition("/")
    filling, _, length = rest.partition("/")
    named = client_id in (payload["clientId"], UNNAMED)
    whole = named and str(len(filling)) == length
    return str(payload["clientId"]) if whole else GARBLED
