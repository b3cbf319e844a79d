"""Compares watched rooms with what passed, for what Pub/Sub does not tell."""

import asyncio
from collections.abc import Collection
from itertools import islice
from typing import Final

from realtime.errors import ChatError
from realtime.rooms.rooms_changed import RoomsChanged
from realtime.rooms.watch import Watch, WatchedRoom
from realtime.store.membership import Memberships
from realtime.store.room_lists import RoomLists

# How often some rooms are compared; after a gap of Pub/Sub all are, one lot after the
# other.
CHECK_SECONDS: Final = 1.0
GAP_PAUSE_SECONDS: Final = 0.05

# Rooms compared at once: some 4 ms of this node's time.
CHECK_ROOMS: Final = 200

# Time for a publication that is under way when the room is asked for.
ARRIVAL_SECONDS: Final = 0.5


class WatchCheck:
    """The periodic look at the watched rooms, in rotation.

    Args:
        watch: The rooms.
        lists: Where rooms stand.
        memberships: Who quit lately.
        changed: Tells what was missed.
    """

    def __init__(
        self,
        watch: Watch,
        lists: RoomLists,
        memberships: Memberships,
        changed: RoomsChanged,
    ) -> None:
        self._memberships = memberships
        self._watch = watch
        self._lists = lists
        self._changed = changed
        self._next = 0
        self._left_after_gap = 0
        self._is_heard = asyncio.Event()
        # Channels of watched rooms that are not heard while others are, and those that
        # are again and have not been looked at.
        self._unheard: set[str] = set()
        self._after_gap: set[str] = set()

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Take note that publications, of these channels or all, may be missed."""
        if channels is None:
            self._is_heard.clear()
        else:
            self._unheard.update(filter(self._watch.find, channels))

    def ready(self, channels: Collection[str] | None = None) -> None:
        """Compare these rooms, or all, soon: publications are heard again."""
        if channels is None:
            self._next, self._left_after_gap = 0, len(self._watch)
        else:
            self._unheard.difference_update(channels)
            self._after_gap.update(filter(self._watch.find, channels))
        self._is_heard.set()

    @property
    def is_current(self) -> bool:
        """Whether what passes is heard, and no gap is left to look at."""
        left = self._left_after_gap or self._unheard or self._after_gap
        return self._is_heard.is_set() and not left

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            after_gap = self._left_after_gap > 0 or bool(self._after_gap)
            await asyncio.sleep(GAP_PAUSE_SECONDS if after_gap else CHECK_SECONDS)
            await self._is_heard.wait()
            # Of rooms that nobody watches any more nothing is missed.
            self._unheard = {*filter(self._watch.find, self._unheard)}
            if self._after_gap:
                await self._compare_gap()
                continue
            rooms = self._next_rooms()
            if not rooms:
                self._left_after_gap = 0
                continue
            try:
                await self._compare(rooms, after_gap=after_gap)
            except ChatError:
                # Redis is away: they are compared when it is back.
                self._next = max(0, self._next - CHECK_ROOMS)
                continue
            self._left_after_gap = max(0, self._left_after_gap - len(rooms))

    async def _compare_gap(self) -> None:
        """Compare some of the rooms that were not heard while others were."""
        channels = [*islice(self._after_gap, CHECK_ROOMS)]
        rooms = [each for each in map(self._watch.find, channels) if each is not None]
        try:
            await self._compare(rooms, after_gap=True)
        except ChatError:
            await asyncio.sleep(CHECK_SECONDS)
        else:
            self._after_gap.difference_update(channels)

    async def _compare(self, rooms: list[WatchedRoom], *, after_gap: bool) -> None:
        by_id = {each.room: each for each in rooms}
        before = {each.room: each.offset for each in rooms}
        standings = await self._lists.standings(by_id)
        if after_gap:
            for name in by_id:
                for user in await self._memberships.quit_lately(name):
                    self._watch.depart(user, name)
        else:
            await asyncio.sleep(ARRIVAL_SECONDS)
        for name, _, last_message, offset in standings:
            room = by_id[name]
            if self._watch.find(room.channel) is not room:
                continue
            if not room.offset and not after_gap:
                room.offset, room.last_message = offset, last_message
            elif room.offset == before[name] != offset:
                self._watch.stale(room)
                self._changed.wake()

    def _next_rooms(self) -> list[WatchedRoom]:
        """Return the rooms whose turn it is."""
        if self._next >= len(self._watch):
            self._next = 0
        begin = self._next
        self._next += CHECK_ROOMS
        return list(islice(self._watch, begin, begin + CHECK_ROOMS))
