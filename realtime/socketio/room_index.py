"""Who is in which room of this node: python-socketio's bookkeeping, made to scale.

The library's own keeps two-way mappings a room, lists of pending sessions, and walks
every room of the node when one session ends. Here a session knows its rooms, so that
entering, leaving and ending cost what the session itself is in.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

_NOBODY: Mapping[str, str] = {}


class RoomIndex:
    """Mixin in front of ``socketio.AsyncManager``: replaces its room bookkeeping.

    ``rooms[namespace][room]`` maps sid to eio_sid; the room None holds every session
    of the namespace, and a session's room of its own is not stored.
    """

    rooms: dict[str, dict[str | None, dict[str, str]]]
    callbacks: dict[str, dict[int, Any]]
    pending_connect: dict[str, set[str]]
    pending_disconnect: dict[str, set[str]]
    server: Any

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._start_index()

    def _start_index(self) -> None:
        self._sids: dict[str, dict[str, str]] = {}
        self._rooms_of: dict[str, dict[str, tuple[str, ...]]] = {}

    def held(self) -> dict[str, int]:
        """Return what is kept of sessions and rooms, counted by kind."""
        pending = (*self.pending_connect.values(), *self.pending_disconnect.values())
        rooms = [room for each in self.rooms.values() for room in each.values()]
        return {
            "socketio_sessions": sum(map(len, self._sids.values())),
            "socketio_rooms": len(rooms),
            "socketio_entries": sum(map(len, rooms)),
            "socketio_sessions_in_rooms": sum(map(len, self._rooms_of.values())),
            "socketio_pending": sum(map(len, pending)),
            "socketio_callbacks": sum(map(len, self.callbacks.values())),
        }

    # Sessions.

    def _register(self, eio_sid: str, namespace: str) -> str | None:
        """Add a pre-connected session; None if it is in the namespace already."""
        sids = self._sids.setdefault(namespace, {})
        if eio_sid in sids:
            return None
        sid = self._new_sid()
        sids[eio_sid] = sid
        self._add_member(namespace, None, sid, eio_sid)
        self.pending_connect.setdefault(namespace, set()).add(sid)
        return sid

    def _new_sid(self) -> str:
        sid: str = self.server.eio.generate_id()
        return sid

    async def pre_connect(self, eio_sid: str, namespace: str) -> str | None:
        """Register a session that is being authenticated."""
        return self._register(eio_sid, namespace)

    async def connect(self, sid: str, namespace: str) -> str | None:
        """Mark a session as connected; also takes an eio_sid that is new."""
        known: str | None = sid
        if not self.is_pre_connected(sid, namespace):
            known = self._register(sid, namespace)
        if known is not None:
            self._drop(self.pending_connect, namespace, known)
        return known

    def is_pre_connected(self, sid: str, namespace: str) -> bool:
        """Tell whether a session is being authenticated."""
        return sid in self.pending_connect.get(namespace, ())

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Tell whether a session is connected and not on its way out."""
        return (
            sid in self._members(namespace, None)
            and sid not in self.pending_connect.get(namespace, ())
            and sid not in self.pending_disconnect.get(namespace, ())
        )

    def sid_from_eio_sid(self, eio_sid: str, namespace: str) -> str | None:
        """Return the session of a connection in a namespace."""
        return self._sids.get(namespace, {}).get(eio_sid)

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """Return the connection of a session."""
        return self._members(namespace, None).get(sid)

    def pre_disconnect(self, sid: str, namespace: str) -> str | None:
        """Mark a session as on its way out; its handler runs before it is gone."""
        self.pending_disconnect.setdefault(namespace, set()).add(sid)
        return self.eio_sid_from_sid(sid, namespace)

    def basic_disconnect(self, sid: str, namespace: str, **_keywords: Any) -> None:
        """Forget a session and take it out of its rooms."""
        for room in self._rooms_of.get(namespace, {}).get(sid, ()):
            self.basic_leave_room(sid, namespace, room)
        eio_sid = self._members(namespace, None).get(sid)
        if eio_sid is not None:
            self._sids[namespace].pop(eio_sid, None)
            self._remove_member(namespace, None, sid)
        self.callbacks.pop(sid, None)
        self._drop(self.pending_connect, namespace, sid)
        self._drop(self.pending_disconnect, namespace, sid)

    def keep_callback(self, sid: str, callback: Callable[..., Any]) -> int:
        """Keep what a session's ack is given to; return the ack's id, from 1 on.

        ``trigger_callback`` looks it up under that id.
        """
        kept = self.callbacks.setdefault(sid, {0: count(1)})
        number: int = next(kept[0])
        kept[number] = callback
        return number

    # Rooms.

    def is_sid_room(self, namespace: str, room: str) -> bool:
        """Tell whether a room is a session's own."""
        return room in self._members(namespace, None)

    def basic_enter_room(
        self, sid: str, namespace: str, room: str, eio_sid: str | None = None
    ) -> None:
        """Put a session into a room.

        Raises:
            ValueError: The session is not in the namespace, or the room is another
                session's own.
        """
        address = eio_sid or self.eio_sid_from_sid(sid, namespace)
        if address is None:
            raise ValueError("sid is not connected to requested namespace")
        if room == sid:
            return
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot enter a sid room")
        if sid in self._members(namespace, room):
            return
        self._add_member(namespace, room, sid, address)
        known = self._rooms_of.setdefault(namespace, {})
        known[sid] = (*known.get(sid, ()), room)

    def basic_leave_room(self, sid: str, namespace: str, room: str) -> None:
        """Take a session out of a room; nothing happens if it is not in it."""
        if sid not in self._members(namespace, room):
            return
        self._remove_member(namespace, room, sid)
        known = self._rooms_of[namespace]
        left = tuple(name for name in known.get(sid, ()) if name != room)
        if left:
            known[sid] = left
        else:
            known.pop(sid, None)

    def basic_close_room(self, room: str, namespace: str) -> None:
        """Take everybody out of a room.

        Raises:
            ValueError: The room is a session's own.
        """
        if self.is_sid_room(namespace, room):
            raise ValueError("cannot close a sid room")
        for sid in list(self._members(namespace, room)):
            self.basic_leave_room(sid, namespace, room)

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """Return the rooms of a session, its own first."""
        if not self.is_sid_room(namespace, sid):
            return []
        return [sid, *self._rooms_of.get(namespace, {}).get(sid, ())]

    def get_participants(
        self, namespace: str, room: str | list[str] | tuple[str, ...] | None
    ) -> Iterator[tuple[str, str]]:
        """Yield sid and eio_sid of the sessions in a room, or in any of several."""
        yield from self.recipients(namespace, room).items()

    def recipients(
        self, namespace: str, room: str | list[str] | tuple[str, ...] | None
    ) -> Mapping[str, str]:
        """Return sid → eio_sid of a room's sessions; not to be changed or kept."""
        if isinstance(room, (list, tuple)):
            merged: dict[str, str] = {}
            for each in room:
                merged.update(self.recipients(namespace, each))
            return merged
        return self.recipients_of_one(namespace, room)

    def recipients_of_one(self, namespace: str, room: str | None) -> Mapping[str, str]:
        """As :meth:`recipients`, for one room."""
        members = self._members(namespace, room)
        if members or room is None:
            return members
        own = self.eio_sid_from_sid(room, namespace)
        return _NOBODY if own is None else {room: own}

    def _members(self, namespace: str, room: str | None) -> Mapping[str, str]:
        return self.rooms.get(namespace, {}).get(room, _NOBODY)

    def _add_member(
        self, namespace: str, room: str | None, sid: str, address: str
    ) -> None:
        self.rooms.setdefault(namespace, {}).setdefault(room, {})[sid] = address

    def _remove_member(self, namespace: str, room: str | None, sid: str) -> None:
        members = self.rooms[namespace][room]
        del members[sid]
        if not members:
            del self.rooms[namespace][room]
            if not self.rooms[namespace]:
                del self.rooms[namespace]

    @staticmethod
    def _drop(pending: dict[str, set[str]], namespace: str, sid: str) -> None:
        sids = pending.get(namespace)
        if sids is not None:
            sids.discard(sid)
            if not sids:
                del pending[namespace]
