"""Presence: which sessions attend a room, over all nodes, and who is here by them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson

from realtime.errors import UnavailableError
from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.redis.connection import ReplyError
from realtime.store import events, keys, scripts
from realtime.store.scripts import PresenceChange
from realtime.tasks import gather_started

_logger = logging.getLogger(__name__)

# Sessions of a dead node that are removed in one round trip.
SWEEP_BATCH = 500

# Removals that are remembered in a cluster, and for how long: a room's shard may lose
# its last writes to a failover, and the node's own list, on another one, does not name
# the session any more.
STRUCK_LIMIT = 10_000
STRUCK_SECONDS = 30.0


class _Struck(NamedTuple):
    """A session that was taken off the lists, when, and of which life; empty: ours."""

    at: float
    room: str
    sid: str
    node: str


class Presence:
    """The session lists of all rooms, and each node's own list of what it put there.

    A user is online in a room while at least one of their sessions attends it. The
    node's list is written before the room's and cleared after it, so that whoever
    sweeps after a crash finds every session that could have been announced.

    A node that was taken for dead lists its sessions in another life, under another
    name: whatever a sweep of the former one still removes, it is not these.

    Args:
        redis: The client that carries commands out.
        node: Id of this node, and of its first life.
        announce_users: Up to this many users online each one is announced.
        counts: Announces the counts of the rooms above it.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        node: str,
        announce_users: int,
        counts: RoomCounts,
    ) -> None:
        self._redis = redis
        self._id = node
        self._lives = 1
        self._announce_users = announce_users
        self._counts = counts
        # What is being removed, and by which call: to be listed again ends that.
        self._leaving: dict[tuple[str, str], object] = {}
        # In a cluster, what is on this node's list and on its way to the room's: to
        # leave ends that.
        self._entering: dict[tuple[str, str], asyncio.Task[PresenceChange]] = {}
        self._struck: deque[_Struck] = deque(maxlen=STRUCK_LIMIT)

    @property
    def life(self) -> str:
        """The name under which this node lists its sessions."""
        return self._id if self._lives == 1 else f"{self._id}-{self._lives}"

    @property
    def lists_later(self) -> bool:
        """Whether a room's list is written only when this node's own has been."""
        return self._redis.is_cluster

    def stop_entering(self, room: str, sid: str) -> None:
        """Do not list a session any more that is on its way."""
        self._entering.pop((room, sid), None)

    def begin_life(self) -> None:
        """List sessions under another name from now on."""
        self._lives += 1

    def enter(
        self,
        *,
        room: str,
        sid: str,
        user: str,
        device: str | None,
        name: str | None = None,
        may_wait: bool = False,
    ) -> Coroutine[Any, Any, None]:
        """List a session; the user's first one is announced. Repeating is fine.

        Nothing is listed of a user who quit the room.

        The calls are sent when this is called, not when it is awaited.

        Args:
            room: Room id.
            sid: Session id.
            user: Whose it is.
            device: Its device, if it named one.
            name: What the user is called.
            may_wait: It is listed another time, too: that Redis takes nothing now,
                because it is full, is no failure.
        """
        entry = {
            "user": user,
            "node": self.life,
            "device": device,
            "since": int(time.time() * 1000),
        }
        self._leaving.pop((room, sid), None)
        noted = self._redis.call("SADD", keys.node_sessions(self.life), f"{room} {sid}")
        list_it = partial(
            scripts.presence_enter,
            self._redis,
            sessions=keys.sessions(room),
            online=keys.online(room),
            quits=keys.quits(room),
            sid=sid,
            user=user,
            entry=orjson.dumps(entry),
            channel=keys.wire_channel(room, self._redis.database),
            announce_users=self._announce_users,
            event=events.user_came(room, user, name),
        )
        listed: Awaitable[PresenceChange]
        if self._redis.is_cluster:
            listed = self._list_next(room, sid, noted, list_it)
        else:
            listed = list_it()
        return self._entered(room, noted, listed, may_wait=may_wait)

    def _list_next(
        self,
        room: str,
        sid: str,
        noted: Awaitable[Any],
        list_it: Callable[[], Awaitable[PresenceChange]],
    ) -> Awaitable[PresenceChange]:
        """Have a session listed once another shard has it on this node's list.

        The calls of two shards have no order: listed before it is noted, it would be
        found by nobody after a crash.
        """
        pair = (room, sid)

        async def listed() -> PresenceChange:
            try:
                await noted
                if self._entering.get(pair) is not task:
                    # It has left meanwhile, or is listed by a later call.
                    return PresenceChange(False, 0)
                return await list_it()
            finally:
                if self._entering.get(pair) is task:
                    del self._entering[pair]

        task = self._entering[pair] = asyncio.create_task(listed(), name="presence")
        # Looked at by whoever awaits it, who may be gone.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _entered(
        self,
        room: str,
        noted: Awaitable[Any],
        listed: Awaitable[PresenceChange],
        *,
        may_wait: bool,
    ) -> None:
        try:
            _, change = await gather_started(noted, listed)
        except UnavailableError:
            if not may_wait:
                raise
        else:
            self._count(room, change)

    async def leave(self, *, room: str, sid: str) -> None:
        """Remove a session; the user's last one is announced. Repeating is fine."""
        await self.leave_all([(room, sid)])

    async def leave_all(self, departures: Sequence[tuple[str, str]]) -> None:
        """Remove sessions, given as room and sid, in two round trips."""
        this = object()
        self._leaving.update(dict.fromkeys(departures, this))
        for pair in departures:
            self.stop_entering(*pair)
        gone = list(departures)
        try:
            while gone:
                generation = self._redis.generation
                await gather_started(*[self._remove(room, sid) for room, sid in gone])
                # One that came back meanwhile is on the lists, and stays there.
                gone = [pair for pair in gone if self._leaving.get(pair) is this]
                entries = [f"{room} {sid}" for room, sid in gone]
                if await self._strike(self.life, entries, generation):
                    self._remember("", gone)
                    return
                gone = [pair for pair in gone if self._leaving.get(pair) is this]
        finally:
            for pair in departures:
                if self._leaving.get(pair) is this:
                    del self._leaving[pair]

    async def _strike(
        self, node: str, entries: Sequence[str | bytes], generation: int
    ) -> bool:
        """Take what the rooms' lists name no more off a node's own list.

        Returns:
            Whether that was over the connection of this number. Over another one Redis
            may have gone back, and a room's list name it again: then both are due once
            more, or nothing would ever find it there.
        """
        if entries:
            await self._redis.call("SREM", keys.node_sessions(node), *entries)
        return self._redis.generation == generation

    def _remember(self, node: str, gone: Sequence[tuple[str, str]]) -> None:
        if self._redis.is_cluster:
            now = time.monotonic()
            self._struck.extend(_Struck(now, room, sid, node) for room, sid in gone)

    async def strike_again(
        self, is_due: Callable[[str], bool], attends: Callable[[str, str], bool]
    ) -> None:
        """Remove once more what was removed lately from lists that may have gone back.

        Args:
            is_due: Tells of a room whether its list is among them.
            attends: Tells of a room and a session id whether the session is there.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        since = time.monotonic() - STRUCK_SECONDS
        again = [each for each in self._struck if each.at > since and is_due(each.room)]
        for start in range(0, len(again), SWEEP_BATCH):
            await gather_started(
                *[
                    self._remove(each.room, each.sid, each.node)
                    for each in again[start : start + SWEEP_BATCH]
                    if not attends(each.room, each.sid)
                ]
            )

    def _remove(
        self,
        room: str,
        sid: str,
        node: str = "",
        broken: dict[str, ReplyError] | None = None,
    ) -> Coroutine[Any, Any, None]:
        event = events.user_left(room)
        removed = scripts.presence_leave(
            self._redis,
            sessions=keys.sessions(room),
            online=keys.online(room),
            sid=sid,
            node=node,
            channel=keys.wire_channel(room, self._redis.database),
            announce_users=self._announce_users,
            head=event.head,
            tail=event.tail,
        )
        return self._removed(room, removed, broken)

    async def _removed(
        self,
        room: str,
        removed: Awaitable[PresenceChange],
        broken: dict[str, ReplyError] | None,
    ) -> None:
        try:
            change = await removed
        except ReplyError as error:
            if broken is None:
                raise
            broken[room] = error
            return
        # The departed one was still counted when the script chose how to announce.
        self._count(room, PresenceChange(change.changed, change.users + 1))

    def _count(self, room: str, change: PresenceChange) -> None:
        if change.changed and change.users > self._announce_users:
            self._counts.changed(room)

    async def listed(self) -> AsyncIterator[tuple[str, str]]:
        """Yield room and sid of all that this node has on the lists."""
        key, cursor = keys.node_sessions(self.life), b"0"
        while True:
            cursor, found = await self._redis.call(
                "SSCAN", key, cursor, "COUNT", SWEEP_BATCH
            )
            for entry in found:
                room, _, sid = entry.decode().partition(" ")
                yield room, sid
            if cursor == b"0":
                return

    async def sweep(self, node: str) -> int:
        """Remove all sessions of a node's life and return how many there were.

        Several nodes may sweep at once; each departure is announced by one of them.
        What is wrong with one room's list keeps no other room from being cleared.

        Args:
            node: A life that has ended: nothing is listed under its name any more, or
                it is swept again.
        """
        swept = 0
        broken: dict[str, ReplyError] = {}
        key = keys.node_sessions(node)
        while found := await self._redis.call("SRANDMEMBER", key, SWEEP_BATCH):
            pairs = [entry.decode().partition(" ") for entry in found]
            is_done = False
            while not is_done:
                generation = self._redis.generation
                await gather_started(
                    *[self._remove(room, sid, node, broken) for room, _, sid in pairs]
                )
                is_done = await self._strike(node, found, generation)
            self._remember(node, [(room, sid) for room, _, sid in pairs])
            swept += len(found)
        for room, error in broken.items():
            _logger.error(
                "Sessions of node %s cannot be taken off the list of room %s: %s",
                *(node, room, error),
            )
        return swept
