"""What answers show of a user's rooms."""

import time
from typing import Final

from handlers.guard import Payload
from handlers.requests import Requests
from realtime.presence.sessions import ChatSession
from realtime.rooms.allowance import Allowance
from realtime.store.personal_log import Mine
from realtime.store.room_lists import Standing
from realtime.store.room_summaries import RoomSummary
from schemas.events import LIST_PAGE

# Rooms that are looked at for the order of a list and count as one more request of the
# user: some 0.2 ms. Who has 1,000 rooms lists them once a second all the same.
LISTED_A_REQUEST: Final = 20


class ListAnswers(Requests):
    """A part of the namespace that answers with rooms."""

    async def _list(
        self,
        session: ChatSession,
        payload: Payload,
        allowance: Allowance,
        standings: list[Standing] | None = None,
    ) -> dict[str, object]:
        """Return a page of the user's rooms by their last message."""

        def count(rooms: int) -> None:
            self.services.rates.take_of_user(
                session.user, time.monotonic(), count=rooms // LISTED_A_REQUEST
            )

        cursor = payload.get("cursor")
        if standings is None and cursor is None:
            standings = await self.services.personal.standings(session.user)
        page = await self.services.lists.page(
            session.user,
            limit=min(payload.get("limit", LIST_PAGE), LIST_PAGE),
            cursor=cursor,
            chosen=payload.get("filter"),
            standings=standings,
            count=count,
            fits=allowance.fits,
        )
        if page.cursor is None and page.is_cut:
            raise allowance.full()
        return {
            "rooms": [
                {**self._entry(each.summary, each.mine), "at": each.at}
                for each in page.rooms
            ],
            "more": page.cursor is not None,
            **({} if page.cursor is None else {"next": page.cursor}),
        }

    def _entry(self, room: RoomSummary, mine: Mine) -> dict[str, object]:
        """Return a room as ``rooms`` lists it."""
        return {
            "room": room.room,
            "name": room.name,
            "kind": room.kind,
            "role": room.role,
            "lastMessage": room.last_message,
            "lastReadMessage": room.last_read_message,
            "unread": room.unread,
            "unreadMentions": room.unread_mentions,
            "newest": room.newest and self._encoded(room.newest),
            **mine.to_wire(),
        }
