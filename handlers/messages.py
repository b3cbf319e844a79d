"""Requests about messages: sending, reading, and how far one has read."""

from contextlib import suppress
from functools import partial
from itertools import takewhile

from handlers.guard import Answer, Payload, guarded
from handlers.message_images import store_images
from handlers.requests import Requests
from handlers.send_order import SendOrder
from realtime.errors import (
    AbsentError,
    ChatError,
    NotAttendingError,
    NotMemberError,
    changed_before,
)
from realtime.moderation.review import Moderation
from realtime.presence.sessions import ChatSession
from realtime.rooms.allowance import Allowance
from realtime.store import events, keys
from realtime.store.image_uses import Use
from realtime.store.scripts import Appended, HistoryPage


class MessageRequests(Requests):
    """``send``, ``mark_read``, ``typing``, ``history``, ``media`` and ``reads``."""

    order: SendOrder

    @guarded
    async def on_send(self, session: ChatSession, payload: Payload) -> Answer:
        """A text or images → its place in the room. Broadcasts ``message``.

        A session's messages to a room keep the order in which they arrive. Images that
        were sent before are not looked at again.
        Errors: ``not_attending``, ``forbidden``, ``too_large``, ``unavailable``
        (nothing was stored), ``unknown`` (repeat with the same ``clientId``).
        """
        services = self.services
        services.user_rates.take(session.user)
        use = Use(payload.pop("room"), payload.pop("clientId"), session.user)
        _drop_unset(payload)
        key = (session.sid, use.room)
        files: list[str] = []
        moderation = services.moderation
        waits = moderation is not None and moderation.waits and not session.is_by_key
        if _has_images(payload) or waits or key in self.order:
            async with self.order.place(key) as turn:
                files, before = await self._prepared(session, use, payload)
                if before is not None:
                    return self._placed(before)
                await turn()
        elif moderation is not None:
            # Suspends only where it does not go on to the append.
            before = await self._reviewed(session, moderation, use, payload)
            if before is not None:
                return self._placed(before)
        try:
            done = await self._append(session, use, payload)
        except AbsentError:
            bring_back = partial(services.people.bring_back, use.room, use.user)
            await self.order.once(key, bring_back)
            done = await self._append(session, use, payload)
        if files:
            with suppress(ChatError):
                # What is not noted now is looked for when the files are due.
                await services.image_uses.confirm(
                    files, use, done.message, soon=done.duplicate
                )
        return self._placed(done)

    @guarded
    async def on_mark_read(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message}`` → ``lastReadMessage, unread``. Broadcasts ``read``."""
        mark = await self.services.read_marks.mark(
            room=payload["room"], user=session.user, message=payload["message"]
        )
        # A lower number than the mark is old; the same one may be asked for again.
        told = payload["message"] >= mark.last_read_message
        with changed_before():
            await self.services.personal_log.read_up_to(
                session.user, payload["room"], mark.last_read_message if told else 0
            )
        return {"lastReadMessage": mark.last_read_message, "unread": mark.unread}

    @guarded
    async def on_typing(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, on}`` → nothing. Broadcasts ``typing``."""
        room = payload["room"]
        typing = {"room": room, "user": session.user, "on": payload["on"]}
        if session.name is not None:
            typing["name"] = session.name
        await self.emit("typing", typing, room=keys.channel(room))
        return None

    @guarded
    async def on_history(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, before? | after? | around? | at?, limit?}`` → a page of messages."""
        after, allowance = payload.get("after"), self._allowance(session)
        page = await self.services.log.history(
            room=payload["room"],
            user=session.user,
            before=payload.get("before"),
            after=after,
            around=payload.get("around"),
            at=payload.get("at"),
            limit=payload["limit"],
        )
        if "around" in payload or "at" in payload:
            return self._around(page, allowance)
        # The end nearest to what the client has: the others come with the next page.
        messages = page.messages if after is not None else page.messages[::-1]
        told = _fitting(messages, allowance)
        return {
            "messages": [
                self._encoded(raw)
                for raw in (told if after is not None else told[::-1])
            ],
            "more": page.more or len(told) < len(messages),
            "firstAvailable": page.first_available,
        }

    def _around(self, page: HistoryPage, allowance: Allowance) -> Answer:
        """Return a page around a message; what has no place is left out at its ends."""
        messages, first, last = page.messages, 0, len(page.messages)
        if not allowance.fits(sum(map(len, messages))):
            allowance.require_line()
            place = sum(events.stored_number(raw) < page.around for raw in messages)
            first = last = place
            # Nearest first, in turn from both sides.
            nearest = sorted(range(len(messages)), key=lambda at: abs(at - place))
            for at in takewhile(lambda at: allowance.fits(len(messages[at])), nearest):
                first, last = min(first, at), max(last, at + 1)
        return {
            "messages": [self._encoded(raw) for raw in messages[first:last]],
            "more": page.more or first > 0,
            "moreAfter": page.more_after or last < len(messages),
            "firstAvailable": page.first_available,
            "around": page.around,
        }

    @guarded
    async def on_media(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, before?, limit?}`` → messages with images, the newest first."""
        allowance = self._allowance(session)
        page = await self.services.media.page(
            room=payload["room"],
            user=session.user,
            before=payload.get("before"),
            limit=payload["limit"],
        )
        told = _fitting(page.messages, allowance)
        return {
            "messages": [self._encoded(raw) for raw in told],
            "more": page.more or len(told) < len(page.messages),
        }

    @guarded
    async def on_reads(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, messages}`` → ``counts``: how many have not read each."""
        counts = await self.services.read_marks.unread_by(
            room=payload["room"], messages=payload["messages"]
        )
        return {"counts": counts}

    async def _append(
        self, session: ChatSession, use: Use, payload: Payload
    ) -> Appended:
        """Store a message; nothing suspends up to there: they keep their order."""
        services = self.services
        asked = services.attempts.tick()
        try:
            return await services.log.append(
                room=use.room,
                user=use.user,
                client_id=use.client_id,
                content=payload,
                name=session.name,
                fingerprint=session.fingerprint,
            )
        except NotMemberError:
            # It attends, and the user is no member: Redis lost the membership with its
            # newest data, or this node missed that they quit. The way back is `join`.
            services.attendance.expel(session, use.room, since=asked)
            raise NotAttendingError("Join the room first.") from None

    def _placed(self, done: Appended) -> dict[str, object]:
        """Return the ack of a message that is stored."""
        if not done.duplicate:
            self.services.traffic.messages += 1
        return {
            "message": done.message,
            "offset": done.offset,
            "uid": done.uid,
            "at": done.at,
            "duplicate": done.duplicate,
            "durability": self.services.log.durability,
        }

    async def _prepared(
        self, session: ChatSession, use: Use, payload: Payload
    ) -> tuple[list[str], Appended | None]:
        """Store the images of a message, and have the message looked at.

        Returns:
            The names of their files; and the message's place, if it has one already.
        """
        files: list[str] = []
        if _has_images(payload):
            before = await self._repeated(use, session)
            if before is not None:
                return [], before
            files = await store_images(self.services, use, payload)
        moderation = self.services.moderation
        if moderation is None:
            return files, None
        return files, await self._reviewed(session, moderation, use, payload)

    async def _reviewed(
        self, session: ChatSession, moderation: Moderation, use: Use, payload: Payload
    ) -> Appended | None:
        """Have a message looked at; return its place if it was stored before."""
        return await moderation.review(
            use.room,
            use.user,
            payload,
            client_id=use.client_id,
            repeated=partial(self._repeated, use, session),
            is_by_key=session.is_by_key,
        )

    async def _repeated(self, use: Use, session: ChatSession) -> Appended | None:
        return await self.services.log.repeated(
            room=use.room,
            user=use.user,
            client_id=use.client_id,
            fingerprint=session.fingerprint,
        )


def _fitting(messages: list[bytes], allowance: Allowance) -> list[bytes]:
    """Return the first messages that an answer has a place for.

    Raises:
        UnavailableError: Not for all, and another long answer is on its way.
    """
    if allowance.fits(sum(map(len, messages))):
        return messages
    allowance.require_line()
    return list(takewhile(lambda raw: allowance.fits(len(raw)), messages))


def _drop_unset(payload: Payload) -> None:
    """Say nothing of what a message does not do."""
    for name in ("mentionAll", "silent"):
        if name in payload and not payload[name]:
            del payload[name]


def _has_images(payload: Payload) -> bool:
    """Tell whether a ``send`` brings images."""
    return "image" in payload or "images" in payload
