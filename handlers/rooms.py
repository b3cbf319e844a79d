"""Requests about rooms: coming, going, and the list of one's own."""

import time
from typing import Final

from handlers.guard import Answer, Payload, guarded
from handlers.room_entries import ListAnswers
from handlers.syncing import join_all
from realtime.presence.sessions import ChatSession
from realtime.socketio.deferred_ack import DeferredAck

# Rooms of a ``sync`` that count as one more request of the user: their work is that of
# one, without the packets. Who comes back with 900 rooms on each of three devices waits
# for nobody; at most 200 rooms a second, 6 % of a core, are read for them then.
ROOMS_A_REQUEST: Final = 4


class RoomRequests(ListAnswers):
    """``join``, ``sync``, ``leave``, ``quit`` and ``rooms``."""

    @guarded
    async def on_join(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, cursor?, invite?}`` → where the room stands and what was missed.

        The session attends from the moment of the ack on. If what was missed is too
        much for one answer, ``more`` says so: it joins again first. Broadcasts
        ``presence``.
        Errors: ``forbidden``, ``unavailable``.
        """
        pending = await self.services.joining.join(
            *(session, payload["room"], payload.get("cursor")),
            self._allowance(session),
            payload.get("invite"),
        )
        return DeferredAck(pending.finish)

    @guarded
    async def on_sync(self, session: ChatSession, payload: Payload) -> Answer:
        """``{rooms: [{room, cursor?}…]}`` → ``{rooms}``: as for join, one for each.

        A room that is denied carries its own ``error``; the others are joined.
        """
        rooms = payload["rooms"]
        services = self.services
        # One was counted, as for each request.
        services.rates.take_of_user(
            session.user, time.monotonic(), count=len(rooms) // ROOMS_A_REQUEST
        )
        return await join_all(
            services.joining,
            session,
            rooms,
            allowance=self._allowance(session),
            count=lambda error: self.count("sync", error),
        )

    @guarded
    async def on_leave(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room}`` → nothing: it attends no longer. Broadcasts ``presence``."""
        await self.services.attendance.leave(session, payload["room"])
        return None

    @guarded
    async def on_quit(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room}`` → nothing: the user is no member now. Broadcasts ``presence``."""
        await self.services.quitting.quit(session, payload["room"])
        return None

    @guarded
    async def on_rooms(self, session: ChatSession, payload: Payload) -> Answer:
        """``{after?, limit?}`` → ``rooms, more``: with what is unread in each.

        ``{sort | cursor | filter, limit?}``: by their last message, ``next`` as well.
        """
        allowance = self._allowance(session)
        if payload.keys() & {"sort", "cursor", "filter"}:
            return await self._list(session, payload, allowance)
        page = await self.services.summaries.of_user(
            session.user,
            after=payload.get("after"),
            limit=payload["limit"],
            fits=allowance.fits,
        )
        if page.more and not page.rooms:
            raise allowance.full()
        mine = await self.services.personal_log.mine(
            session.user, [each.room for each in page.rooms]
        )
        return {
            "rooms": [self._entry(each, mine[each.room]) for each in page.rooms],
            "more": page.more,
        }
