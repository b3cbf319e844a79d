"""Requests about a user's own side of things: the same on all of their devices."""

from collections.abc import Mapping
from typing import Any

from handlers.guard import Answer, Payload, guarded
from handlers.room_entries import ListAnswers
from realtime.presence.sessions import ChatSession
from realtime.socketio.deferred_ack import DeferredAck


class MineRequests(ListAnswers):
    """``me``, ``room_mine`` and ``mark_unread``."""

    @guarded
    async def on_me(self, session: ChatSession, payload: Payload) -> Answer:
        """``{cursor?, list?}`` → ``cursor, recovered, events`` of the user's own log.

        From the ack on the session is told what becomes of the user's rooms, and what
        passes in them. With ``list`` the ack has the first page of ``rooms`` as well.
        Errors: ``unavailable``.
        """
        allowance = self._allowance(session)
        personal = self.services.personal
        pending = await personal.enter(session, payload.get("cursor"), allowance)
        listed: dict[str, object] = {}
        try:
            if payload.get("list"):
                standings = pending.standings
                listed = await self._list(session, {}, allowance, standings)
        except BaseException:
            pending.cancel()
            raise
        return DeferredAck(lambda: {**pending.finish(allowance), **listed})

    @guarded
    async def on_room_mine(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, muted?, pinned?, archived?, push?}`` → all settings of the room."""
        room = payload.pop("room")
        return await self._set(session, room, payload)

    @guarded
    async def on_mark_unread(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, on}`` → all settings of the room; marks stay where they are."""
        return await self._set(
            session, payload["room"], {"marked_unread": payload["on"]}
        )

    async def _set(
        self, session: ChatSession, room: str, changes: Mapping[str, Any]
    ) -> dict[str, object]:
        mine = await self.services.personal_log.set_mine(session.user, room, changes)
        return {"room": room, **mine.to_wire()}
