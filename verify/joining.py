"""Joins rooms over a connection until all are attended."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from verify.connection import Connection
from verify.room_view import RoomView

ANSWER_SECONDS = 6.0
"""Silence after which a request counts as unanswered: the server promises 5 s."""


async def join_rooms(
    connection: Connection,
    views: Iterable[RoomView],
    *,
    pause: Callable[[], float],
    trouble: Callable[[str], None],
) -> None:
    """Ask with the views' cursors for those rooms that are not attended.

    Args:
        connection: Where.
        views: All rooms of the client.
        pause: Returns the seconds until it asks again for what was refused.
        trouble: Takes each refusal.

    Raises:
        LostError, SilentError: The connection is of no use any more.
    """
    by_room = {view.room: view for view in views}

    def joined(ack: dict[str, Any]) -> None:
        for answer in ack.get("rooms", ()):
            if answer.get("ok"):
                by_room[answer["room"]].joined(answer)
            else:
                trouble(str(answer))

    wanted = [view for view in by_room.values() if not view.attended]
    while wanted:
        asked = [view.ask() for view in wanted]
        # Taken in the step in which it arrives: events may be right behind it.
        ack = await connection.request(
            "sync", {"rooms": asked}, seconds=ANSWER_SECONDS, on_ack=joined
        )
        if not ack.get("ok"):
            trouble(str(ack))
        wanted = [view for view in wanted if not view.attended]
        if wanted:
            await asyncio.sleep(pause())
