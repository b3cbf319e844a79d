"""``sync``: many joins in one request, each with its own answer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from handlers.guard import as_chat_error, error_answer
from realtime.errors import ChatError
from realtime.presence.sessions import ChatSession
from realtime.rooms.allowance import Allowance
from realtime.rooms.joining import Joining
from realtime.rooms.pending_join import PendingJoin
from realtime.socketio.deferred_ack import DeferredAck

# Rooms of one ``sync`` that are read at the same time, so that a client with 200 rooms
# does not crowd out the others.
JOINS_TOGETHER: Final = 16


async def join_all(
    joining: Joining,
    session: ChatSession,
    rooms: Sequence[Mapping[str, Any]],
    *,
    allowance: Allowance,
    count: Callable[[ChatError], None],
) -> DeferredAck:
    """Join all rooms; a room that is denied does not keep the others back.

    Args:
        joining: Carries out each join.
        session: Who joins.
        rooms: ``{room, cursor?}`` each, no room twice.
        allowance: What all rooms' answers together may have.
        count: Takes note of each room's error.
    """
    slots = asyncio.Semaphore(JOINS_TOGETHER)

    async def join(item: Mapping[str, Any]) -> PendingJoin | ChatError:
        async with slots:
            try:
                return await joining.join(
                    session, item["room"], item.get("cursor"), allowance
                )
            except Exception as error:  # noqa: BLE001 - logged, answered by room
                return as_chat_error(error, "sync", session.sid)

    def answer(room: str, pending: PendingJoin | ChatError) -> dict[str, object]:
        try:
            if isinstance(pending, PendingJoin):
                return {"ok": True, **pending.finish()}
            error = pending
        except Exception as failure:  # noqa: BLE001 - logged, answered by room
            error = as_chat_error(failure, "sync", session.sid)
        count(error)
        return {"room": room, **error_answer(error)}

    tasks = [asyncio.ensure_future(join(item)) for item in rooms]
    try:
        pending = await asyncio.gather(*tasks)
    except asyncio.CancelledError:
        await _give_up(tasks)
        raise

    def finish() -> dict[str, object]:
        names = [item["room"] for item in rooms]
        return {
            "rooms": [
                answer(room, each) for room, each in zip(names, pending, strict=True)
            ]
        }

    return DeferredAck(finish)


async def _give_up(tasks: Sequence["asyncio.Future[PendingJoin | ChatError]"]) -> None:
    """Give back what the joins hold when nobody will finish them."""
    for task in tasks:
        task.cancel()
    for joined in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(joined, PendingJoin):
            joined.cancel()
