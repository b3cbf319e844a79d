"""Requests that change messages: edit, delete, react, pin."""

from functools import partial

from handlers.guard import Answer, Payload, guarded
from handlers.requests import Requests
from handlers.send_order import SendOrder
from realtime.moderation.answers import Kind
from realtime.presence.sessions import ChatSession
from realtime.store.scripts import Appended


class ChangeRequests(Requests):
    """``edit``, ``delete``, ``react`` and ``pin``; each counts as a message."""

    order: SendOrder

    @guarded
    async def on_edit(self, session: ChatSession, payload: Payload) -> Answer:
        """New words for an own message → their place. Broadcasts ``message_edited``.

        Errors: ``forbidden``, ``not_found``, ``too_large``; ``unknown``: repeat with
        the same ``clientId``.
        """
        services, user = self.services, session.user
        services.user_rates.take(user)
        room, client_id = payload.pop("room"), payload.pop("clientId")
        if services.moderation is not None:
            async with self.order.place((session.sid, room)) as turn:
                before = await services.moderation.review(
                    room,
                    user,
                    payload,
                    client_id=client_id,
                    repeated=partial(
                        services.log.repeated,
                        room=room,
                        user=user,
                        client_id=client_id,
                        operation="e",
                        fingerprint=session.fingerprint,
                    ),
                    kind=Kind.EDIT,
                    is_by_key=session.is_by_key,
                )
                if before is not None:
                    return {"message": before.message, **_placed(before)}
                await turn()
        done = await services.changes.edit(
            room=room,
            user=user,
            message=payload["message"],
            client_id=client_id,
            text=payload["text"],
            mentions=payload.get("mentions"),
            fingerprint=session.fingerprint,
        )
        return {"message": done.message, **_placed(done)}

    @guarded
    async def on_delete(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message, reason?}`` → its place. Broadcasts ``message_deleted``."""
        self.services.user_rates.take(session.user)
        done = await self.services.changes.delete(
            room=payload["room"],
            user=session.user,
            message=payload["message"],
            reason=payload.get("reason"),
        )
        return _placed(done)

    @guarded
    async def on_react(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message, key, on}`` → ``count``. Broadcasts ``reaction``.

        In large rooms ``reactions``, about once a second.
        """
        room, message = payload["room"], payload["message"]
        self.services.user_rates.take(session.user)
        done = await self.services.changes.react(
            room=room,
            user=session.user,
            message=message,
            key=payload["key"],
            on=payload["on"],
        )
        if done.changed and not done.told:
            self.services.reaction_notices.changed(room, message)
        return {"count": done.reacted, "duplicate": not done.changed}

    @guarded
    async def on_pin(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message, on}`` → its place. Broadcasts ``pin``."""
        self.services.user_rates.take(session.user)
        done = await self.services.changes.pin(
            room=payload["room"],
            user=session.user,
            message=payload["message"],
            on=payload["on"],
        )
        return _placed(done)


def _placed(done: Appended) -> dict[str, object]:
    """Return the place of a change in the log; one that changed nothing has none."""
    if done.offset == 0:
        return {"duplicate": True}
    return {
        "offset": done.offset,
        "uid": done.uid,
        "at": done.at,
        "duplicate": done.duplicate,
    }
