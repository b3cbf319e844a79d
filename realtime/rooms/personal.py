"""``me``: a session follows its user's personal log, and the rooms on their list."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, Final

import orjson

from realtime.errors import ChatError, NotAttendingError, UnavailableError
from realtime.presence.roster import AttendingSession
from realtime.rooms.allowance import Allowance
from realtime.rooms.feed import Entry, RoomFeed
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.recovery import Asking, Past, Recovery
from realtime.rooms.rooms_changed import RoomsChanged
from realtime.rooms.watch import Watch
from realtime.rooms.watch_check import WatchCheck
from realtime.socketio.manager import ChatroomManager
from realtime.store import events, keys
from realtime.store.membership import Memberships
from realtime.store.personal_log import PersonalLog
from realtime.store.room_lists import RoomLists, Standing
from realtime.tasks import gather_started

_logger = logging.getLogger(__name__)

# Time for Redis to confirm that the rooms of a user's list are subscribed.
SUBSCRIBE_SECONDS: Final = 3.0

# Users whose room was deleted whose lists are written in one go.
UNLISTED_TOGETHER: Final = 100

# Pause after a list could not be read: Redis is away.
RETRY_SECONDS: Final = 1.0


class PendingMe:
    """A ``me`` whose answers are there; ``finish`` or ``cancel`` is called, once.

    Attributes:
        standings: Where the rooms on the user's list stand.
    """

    def __init__(
        self,
        personal: "Personal",
        session: AttendingSession,
        feed: RoomFeed,
        entry: Entry,
    ) -> None:
        self._personal = personal
        self._session = session
        self._feed = feed
        self._entry = entry
        self.past = Past(recovered=False, events=())
        self.standings: list[Standing] = []

    def finish(self, allowance: Allowance) -> dict[str, object]:
        """Have the session follow from here on; return what it missed until here.

        Synchronous: the ack must be written in the same step. What is too much for an
        answer is not recovered: the client lists its rooms anew.

        Raises:
            UnavailableError: The log broke meanwhile; ask again.
            NotAttendingError: The session ended meanwhile.
        """
        past, entry = self.past, self._entry
        try:
            if entry.broken:
                raise UnavailableError("Your log changed meanwhile; ask again.")
            if self._session.ended:
                raise NotAttendingError("The connection ended.")
            missed = [*past.events, *entry.tail]
            recovered = past.recovered and not past.more
            if not (recovered and allowance.fits(sum(map(len, missed)))):
                recovered, missed = False, entry.tail
            unwatched = self._personal.follow(self._session)
        finally:
            self.cancel()
        return {
            "cursor": str(self._feed.position),
            "recovered": recovered,
            "events": [orjson.Fragment(event) for event in missed],
            **({"unwatched": unwatched} if unwatched else {}),
        }

    def cancel(self) -> None:
        """Give it up; a session that followed before still does."""
        self._feed.end_entry(self._entry)
        self._personal.release(self._session.user)


class Personal:
    """This node's users who show a list of their rooms.

    It is the sink of the personal logs' feeds as well.

    Args:
        feeds: The personal logs that are followed here.
        recovery: Finds what a session missed of one.
        log: The personal logs.
        lists: The users' rooms.
        memberships: Who is a member of which room.
        watch: Which rooms are watched for whom.
        changed: Tells what passed in them.
        check: Finds what was missed of them.
        manager: Holds the sessions of this node.
        namespace: The Socket.IO namespace.
    """

    def __init__(
        self,
        *,
        feeds: RoomFeeds,
        recovery: Recovery,
        log: PersonalLog,
        lists: RoomLists,
        memberships: Memberships,
        watch: Watch,
        changed: RoomsChanged,
        check: WatchCheck,
        manager: ChatroomManager,
        namespace: str,
    ) -> None:
        self._feeds = feeds
        self._recovery = recovery
        self._log = log
        self._lists = lists
        self._memberships = memberships
        self._watch = watch
        self._changed = changed
        self._check = check
        self._manager = manager
        self._namespace = namespace
        # Users whose list is to be read anew: their log lost its past.
        self._lost: set[str] = set()

    def held(self) -> dict[str, int]:
        """Return what is kept of those who follow, counted by kind."""
        feeds = {
            f"personal_{kind}": count for kind, count in self._feeds.held().items()
        }
        return {**feeds, **self._watch.held(), "personal_lost": len(self._lost)}

    async def enter(
        self, session: AttendingSession, cursor: str | None, allowance: Allowance
    ) -> PendingMe:
        """Prepare to follow: find what was missed, and watch the rooms.

        What a crash kept from the user's devices is told now, by their log.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away; ask again.
        """
        user = session.user
        feed = await self._hold(user, cursor)
        entry = feed.begin_entry()
        pending = PendingMe(self, session, feed, entry)
        try:
            pending.past = await self._recovery.past(
                feed, entry, cursor, Asking(user, allowance)
            )
            rooms = await self._agree(user)
            await _confirmed(self._watch.set_rooms(user, rooms))
            pending.standings = await self._lists.standings(rooms)
            for standing in pending.standings:
                self._watch.known(standing)
        except BaseException:
            pending.cancel()
            raise
        return pending

    async def _hold(self, user: str, cursor: str | None) -> RoomFeed:
        channel = keys.personal_channel(user)
        feed = await self._feeds.hold(channel)
        try:
            if not await self._recovery.reaches(self._feeds, channel, feed, cursor):
                raise UnavailableError("This node is behind; ask again.")
        except BaseException:
            self._feeds.release(channel)
            raise
        self._watch.hold(user)
        return feed

    async def _agree(self, user: str) -> list[str]:
        """Make list, log and membership agree; return the rooms of the user."""
        listed = await self._lists.rooms_of(user)
        members = await self._lists.members(listed, user)
        for room in listed:
            if room not in members:
                await self._memberships.unlist(room, user, reason="ended")
        rooms = [room for room in listed if room in members]
        await self._log.settle(user, rooms)
        return rooms

    def follow(self, session: AttendingSession) -> int:
        """Tell a session from now on; return how many rooms are not watched for it."""
        user, sid = session.user, session.sid
        own = keys.personal_sessions_room(user)
        if sid not in self._manager.recipients(self._namespace, own):
            self._manager.basic_enter_room(sid, self._namespace, own)
            self._feeds.keep(keys.personal_channel(user))
            self._watch.hold(user)
        watching = self._watch.user(user)
        return len(watching.unwatched) if watching else 0

    def release(self, user: str) -> None:
        """Give back what was held for one session, or one that is on its way."""
        self._watch.release(user)
        self._feeds.release(keys.personal_channel(user))

    async def standings(self, user: str) -> list[Standing] | None:
        """Return where the user's rooms stand, as this node knows; None: it does not.

        Redis is asked for their number alone: what was just added may be on its way.

        Raises:
            UnavailableError, OutcomeUnknownError: Redis is away.
        """
        known = self._watch.standings(user) if self._check.is_current else None
        if known is None or len(known) != await self._lists.count_of(user):
            return None
        return known

    def end(self, session: AttendingSession) -> None:
        """Take note that a session's connection ended."""
        own = keys.personal_sessions_room(session.user)
        self._changed.forget(session.sid)
        if session.sid in self._manager.recipients(self._namespace, own):
            self._manager.basic_leave_room(session.sid, self._namespace, own)
            self.release(session.user)

    async def heard_quit(self, message: Mapping[str, Any]) -> None:
        """Take the control message of a quit: the user's list has the room no more.

        What passes in the room from here on is not told them, also before their own
        log says why.
        """
        room, user = keys.room_of_channel(message["room"]), message["user"]
        if not self._watch.remove(user, room):
            return
        try:
            back = await self._memberships.is_member(room, user)
        except ChatError:
            return
        if back:
            self._watch.add(user, room)

    def heard_gone(self, message: Mapping[str, Any]) -> None:
        """Take the control message of a room's deletion: all lose it."""
        room = self._watch.find(message["room"])
        if room is not None:
            for user in [*self._watch.watching(room, room.users[:])]:
                self._watch.depart(user, room.room, "deleted")

    # What is published.

    def receive(self, channel: str, event: bytes) -> None:
        """Take a publication of a personal log."""
        if self._feeds.receive(channel, event, fits=True):
            self.deliver(channel, [event])

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Take note that publications, of these channels or all, may be missed."""
        self._feeds.lost(channels)

    def ready(self, channels: Collection[str] | None = None) -> None:
        """Catch logs up: their channels, or all, are subscribed again."""
        self._feeds.ready(channels)

    def deliver(self, channel: str, encoded: list[bytes]) -> None:
        """Write encoded event arrays to a user's sessions, without suspending."""
        user = keys.user_of_channel(channel)
        for event in encoded:
            if events.begins_list_change(event):
                name, payload = orjson.loads(event)
                if name == "room_added":
                    self._watch_soon(user, payload["room"])
                else:
                    self._unwatch(user, payload["room"])
            elif event == events.me_reload(channel):
                self._lost.add(user)
                self._watch.has_departed.set()
        self._manager.send_events(keys.personal_sessions_room(user), encoded)

    def _watch_soon(self, user: str, room: str) -> None:
        """Watch a room that was added; what passes before it is heard is looked up."""
        subscribed = self._watch.add(user, room)
        if subscribed is not None:
            subscribed.add_done_callback(lambda _: self._look_up(room))

    def _unwatch(self, user: str, room: str) -> None:
        self._watch.remove(user, room)
        own = keys.personal_sessions_room(user)
        for sid in self._manager.recipients(self._namespace, own):
            self._changed.forget_room(sid, keys.channel(room))

    def _look_up(self, room: str) -> None:
        watched = self._watch.find(keys.channel(room))
        if watched is not None:
            self._watch.stale(watched)
            self._changed.wake()

    def backlog(self, _channel: str) -> float:
        """Return 0: no user has so many sessions that they are told in parts."""
        return 0.0

    async def after_gap(self, channel: str) -> None:
        """Do nothing: all that a personal channel brings is in the log."""

    async def run(self) -> None:
        """Put right, until cancelled, lists that no log has told of."""
        wake = self._watch.has_departed
        while True:
            await wake.wait()
            wake.clear()
            try:
                await self._unlist_departed()
                await self._list_lost()
            except ChatError as error:
                _logger.warning("A list cannot be put right: %s", error.message)
                wake.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _unlist_departed(self) -> None:
        departed = self._watch.departed
        while departed:
            together = [*islice(departed.items(), UNLISTED_TOGETHER)]
            await gather_started(
                *(
                    self._memberships.unlist(room, user, reason=reason)
                    for (user, room), reason in together
                )
            )
            for pair, _ in together:
                departed.pop(pair, None)

    async def _list_lost(self) -> None:
        while self._lost:
            user = next(iter(self._lost))
            self._watch.set_rooms(user, await self._lists.rooms_of(user))
            self._lost.discard(user)


async def _confirmed(subscriptions: "list[asyncio.Future[None]]") -> None:
    """Return when Redis has confirmed them, but for those that were given up."""
    if not subscriptions:
        return
    _, waiting = await asyncio.wait(subscriptions, timeout=SUBSCRIBE_SECONDS)
    if waiting:
        raise UnavailableError("Redis cannot be reached.")
