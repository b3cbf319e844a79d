"""``rooms_changed``: what passed in rooms on a user's list, told together.

A message costs a node one look-up, however many of its users have the room on their
lists; what they are told is put together a few times a second, the same bytes for all.
"""

import asyncio
import logging
from itertools import islice
from typing import Final

from realtime.errors import ChatError
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.rooms.pending_join import Present
from realtime.rooms.watch import Watch, WatchedRoom
from realtime.socketio.manager import ChatroomManager
from realtime.store import events, keys, scripts
from realtime.store.membership import Memberships

_logger = logging.getLogger(__name__)

# Least time between two packets of a session.
TICK_SECONDS: Final = 0.25

# Rooms of one packet; the others come with the next one.
PACKET_ROOMS: Final = 50

# Bytes of one packet, roughly: one room's are sent whatever they are.
PACKET_BYTES: Final = 32 * 1024

# Rooms that are read anew in one go, of those whose news are not all there is.
READ_ROOMS: Final = 200

# Sessions told in one step of the event loop, or users looked at: some 3 ms.
STEP_SESSIONS: Final = 500

# Rooms that a session may be told of later: what is more is left out, and found when
# its user lists the rooms anew.
WAITING_ROOMS: Final = 1_000

# By session, what it is to be told, by channel.
_Pending = dict[str, dict[str, bytes]]


class RoomsChanged:
    """Tells this node's sessions what passed in the rooms of their users' lists.

    Args:
        redis: Reads rooms whose news are not all that there is.
        watch: Who watches which room, and what passed.
        memberships: Who quit lately.
        manager: Writes to the sessions of this node.
        namespace: The Socket.IO namespace.
        present: Makes a stored message fit to be shown now.
    """

    def __init__(
        self,
        redis: RedisClient,
        watch: Watch,
        memberships: Memberships,
        manager: ChatroomManager,
        *,
        namespace: str,
        present: Present,
    ) -> None:
        self._present = present
        self._redis = redis
        self._watch = watch
        self._memberships = memberships
        self._manager = manager
        self._namespace = namespace
        self._pending: _Pending = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._pending)

    def passed(self, channel: str, event: bytes) -> None:
        """Take an event of a room's channel."""
        if self._watch.passed(channel, event):
            self._wake.set()

    def forget(self, sid: str) -> None:
        """Tell a session nothing more."""
        self._pending.pop(sid, None)

    def forget_room(self, sid: str, channel: str) -> None:
        """Tell a session nothing more of a room that left its user's list."""
        if waiting := self._pending.get(sid):
            waiting.pop(channel, None)

    def wake(self) -> None:
        """Tell what changed, soon."""
        self._wake.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await self._wake.wait()
            # What comes in the meantime goes with it.
            await asyncio.sleep(TICK_SECONDS)
            self._wake.clear()
            try:
                await self._share_out()
                await self._tell()
            except Exception:
                _logger.exception("What passed in rooms cannot be told")
            if self._pending or self._watch.changed:
                self._wake.set()

    async def _share_out(self) -> None:
        """Note for each session what it is to be told."""
        changed = self._watch.changed
        stale = [room for room in changed if room.is_stale]
        read = await self._read(stale[:READ_ROOMS])
        for room in [*changed]:
            # Not one that nobody watches any more, whose turn to be read comes, or that
            # could not be read.
            if room not in changed or room.is_stale:
                continue
            changed.discard(room)
            passed, room.news = room.news, None
            marks, room.marks = room.marks or {}, None
            news = read.get(room)
            if passed is not None:
                if news is not None:
                    # What was read besides its messages is told as well, next time.
                    self._watch.stale(room)
                news = _news_of(room, passed)
            if news is not None:
                await self._share(room, news, marks)

    async def _share(
        self, room: WatchedRoom, news: bytes, marks: dict[str, int]
    ) -> None:
        recipients, namespace = self._manager.recipients, self._namespace
        codes = room.users[:]
        for start in range(0, len(codes), STEP_SESSIONS):
            if start:
                await asyncio.sleep(0)
            # They are told by the room's own events.
            attending = recipients(namespace, room.channel)
            for user in self._watch.watching(
                room, codes[start : start + STEP_SESSIONS]
            ):
                told = news
                if user in marks:
                    told = events.with_own_mark(news, marks[user])
                for sid in recipients(namespace, keys.personal_sessions_room(user)):
                    if sid not in attending:
                        self._note(sid, room, told)

    def _note(self, sid: str, room: WatchedRoom, told: bytes) -> None:
        waiting = self._pending.setdefault(sid, {})
        before = waiting.get(room.channel)
        if before is not None:
            # What a session has not taken is not lost: it is read or said again.
            if events.is_whole(before) > events.is_whole(told):
                self._watch.stale(room)
            mark = events.own_mark(before)
            if mark is not None and events.own_mark(told) is None:
                told = events.with_own_mark(told, mark)
        elif len(waiting) >= WAITING_ROOMS:
            return
        waiting[room.channel] = told

    async def _tell(self) -> None:
        """Send each session one packet; who is told the same is told together."""
        groups: dict[tuple[bytes, ...], list[str]] = {}
        for sid, waiting in self._pending.items():
            told: list[bytes] = []
            size = 0
            for news in islice(waiting.values(), PACKET_ROOMS):
                size += len(news)
                if told and size > PACKET_BYTES:
                    break
                told.append(news)
            groups.setdefault(tuple(told), []).append(sid)
        for told_together, sids in groups.items():
            packet = events.rooms_changed(told_together)
            for start in range(0, len(sids), STEP_SESSIONS):
                written = self._manager.send_where_it_fits(
                    sids[start : start + STEP_SESSIONS], packet
                )
                for sid in written:
                    self._take_told(sid, told_together)
                await asyncio.sleep(0)

    def _take_told(self, sid: str, told: tuple[bytes, ...]) -> None:
        waiting = self._pending.get(sid)
        if waiting is None:
            return
        for channel, news in [*islice(waiting.items(), len(told))]:
            # Others if rooms were forgotten meanwhile.
            if news in told:
                del waiting[channel]
        if not waiting:
            del self._pending[sid]

    async def _read(self, rooms: list[WatchedRoom]) -> dict[WatchedRoom, bytes]:
        """Read rooms anew; who quit one lately does not watch it any more."""
        started = []
        for room in rooms:
            # What passes from here on comes on top.
            room.is_stale, room.news = False, None
            reading = scripts.room_news_read(
                self._redis,
                meta=keys.meta(room.room),
                messages=keys.messages(room.room),
                members=keys.members(room.room),
                reactions=keys.reactions(room.room),
            )
            started.append((room, room.offset, reading))
        found: dict[WatchedRoom, bytes] = {}
        for room, offset, reading in started:
            try:
                said = await reading
                for user in await self._memberships.quit_lately(room.room):
                    self._watch.depart(user, room.room)
            except ReplyError as error:
                _logger.error("Room %s cannot be listed", room.room, exc_info=error)
                continue
            except ChatError:
                self._watch.stale(room)
                continue
            room.at = said.at
            if room.offset == offset:
                room.offset, room.last_message = said.offset, said.last_message
            found[room] = events.room_news(
                room.room,
                last_message=said.last_message,
                at=said.at,
                newest=self._present(said.newest) if said.newest else None,
                name=said.name.decode() or room.room,
                kind=said.kind.decode() or "public",
                memberCount=said.member_count,
            )
        return found


def _news_of(room: WatchedRoom, event: bytes) -> bytes:
    room.at = events.time_of_event(event)
    return events.room_news(
        room.room,
        last_message=room.last_message,
        at=room.at,
        newest=events.message_of(event),
    )
