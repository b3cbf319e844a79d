"""The ``/chat`` namespace: one short method for each event of the catalogue."""

import time
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

import orjson

from handlers.connecting import SessionNamespace
from handlers.guard import Answer, Payload, error_answer, guarded
from handlers.send_order import SendOrder
from handlers.syncing import join_all
from realtime.errors import (
    ChatError,
    NotAttendingError,
    NotMemberError,
    RateLimitedError,
    UnknownEventError,
)
from realtime.images.service import Upload
from realtime.pacing import Turnstile
from realtime.presence.sessions import ChatSession
from realtime.rooms.allowance import Allowance
from realtime.services import Services
from realtime.socketio.deferred_ack import DeferredAck
from realtime.store import events, keys
from realtime.store.image_uses import Use
from realtime.store.scripts import Appended
from schemas.catalog import NAMESPACE, REQUESTS

# Stands for the names of events that do not exist: they are the client's to choose.
UNKNOWN: Final = "?"

# Rooms of a ``sync`` that count as one more request of the user: their work is that of
# one, without the packets. Who comes back with 900 rooms on each of three devices waits
# for nobody; at most 200 rooms a second, 6 % of a core, are read for them then.
ROOMS_A_REQUEST: Final = 4

# Requests of one user begun in one turn of the event loop, over all connections. A
# hundred connections at once then take no more of a turn than a few others do.
REQUESTS_A_TURN: Final = 2


class ChatNamespace(SessionNamespace):
    """What clients may ask for.

    Each ``on_<event>`` is wrapped by :func:`handlers.guard.guarded`: it gets a session
    and a payload that is valid by the catalogue and has passed the access gate, and
    returns the ack without ``ok``.

    Args:
        services: The parts that carry the requests out.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(NAMESPACE, services)
        self.turns = Turnstile(REQUESTS_A_TURN)
        self.order = SendOrder()
        self.under_way = 0
        self._requests = {name: getattr(self, f"on_{name}") for name in REQUESTS}

    def held(self) -> dict[str, int]:
        """Return what waits here for its answer, counted by kind."""
        return {
            "requests": self.under_way,
            "request_turns": len(self.turns),
            "send_queues": len(self.order),
        }

    async def trigger_event(self, event: object, *args: Any) -> object:
        """Call the handler of an event; an unknown one is answered with an error.

        A connection that is established is neither being connected nor disconnected:
        events of these names then come from the client, and are as unknown as others.
        """
        request = self._requests.get(event) if isinstance(event, str) else None
        if request is not None:
            return await request(*args)
        if event in ("connect", "disconnect") and not self._is_connected(args[0]):
            lifecycle = self.on_connect if event == "connect" else self.on_disconnect
            await lifecycle(*args)
            return None
        error: ChatError = UnknownEventError("There is no event of this name.")
        try:
            self.services.rates.take(args[0], UNKNOWN, time.monotonic())
        except RateLimitedError as limited:
            error = limited
        self.count_refusal(args[0])
        self.count(UNKNOWN, error)
        return error_answer(error)

    @guarded
    async def on_join(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, cursor?}`` → where the room stands and what was missed.

        The session attends from the moment of the ack on. If what was missed is too
        much for one answer, ``more`` says so: it joins again first. Broadcasts
        ``presence``.
        Errors: ``forbidden``, ``unavailable``.
        """
        pending = await self.services.joining.join(
            session, payload["room"], payload.get("cursor"), self._allowance(session)
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
    async def on_send(self, session: ChatSession, payload: Payload) -> Answer:
        """A text or an image → its place in the room. Broadcasts ``message``.

        A session's messages to a room keep the order in which they arrive. An image
        that was sent before is not looked at again.
        Errors: ``not_attending``, ``too_large``, ``unavailable`` (nothing was
        stored), ``unknown`` (repeat with the same ``clientId``).
        """
        services = self.services
        services.user_rates.take(session.user)
        room, client_id = payload.pop("room"), payload.pop("clientId")
        key = (session.sid, room)
        upload = None
        if "image" in payload or key in self.order:
            async with self.order.place(key) as turn:
                if "image" in payload:
                    before = await services.log.repeated(
                        room=room, user=session.user, client_id=client_id
                    )
                    if before is not None:
                        return self._placed(before)
                    use = Use(room, client_id, session.user)
                    upload = await self._stored(use, payload["image"])
                    payload["image"] = services.images.describe(upload)
                await turn()
        # Nothing may suspend from here to the append: messages keep their order.
        asked = services.attempts.tick()
        try:
            done = await services.log.append(
                room=room, user=session.user, client_id=client_id, content=payload
            )
        except NotMemberError:
            # It attends, and the user is no member: Redis lost the membership with its
            # newest data, or this node missed that they quit. The way back is `join`.
            services.attendance.expel(session, room, since=asked)
            raise NotAttendingError("Join the room first.") from None
        if upload is not None:
            with suppress(ChatError):
                # What is not noted now is looked for when the files are due.
                use = Use(room, client_id, session.user)
                await services.image_uses.confirm(
                    upload.sizes, use, done.message, soon=done.duplicate
                )
        return self._placed(done)

    @guarded
    async def on_mark_read(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message}`` → ``lastReadMessage, unread``. Broadcasts ``read``."""
        mark = await self.services.read_marks.mark(
            room=payload["room"], user=session.user, message=payload["message"]
        )
        return {"lastReadMessage": mark.last_read_message, "unread": mark.unread}

    @guarded
    async def on_typing(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, on}`` → nothing. Broadcasts ``typing``."""
        room = payload["room"]
        typing = {"room": room, "user": session.user, "on": payload["on"]}
        await self.emit("typing", typing, room=keys.channel(room))
        return None

    @guarded
    async def on_history(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, before? | after?, limit?}`` → ``messages, more, firstAvailable``."""
        after, allowance = payload.get("after"), self._allowance(session)
        page = await self.services.log.history(
            room=payload["room"],
            before=payload.get("before"),
            after=after,
            limit=payload["limit"],
        )
        # The end nearest to what the client has: the others come with the next page.
        messages = page.messages if after is not None else page.messages[::-1]
        told = messages
        if not allowance.fits(sum(map(len, messages))):
            allowance.require_line()
            told = list(takewhile(lambda raw: allowance.fits(len(raw)), messages))
        return {
            "messages": [
                self._encoded(raw)
                for raw in (told if after is not None else told[::-1])
            ],
            "more": page.more or len(told) < len(messages),
            "firstAvailable": page.first_available,
        }

    @guarded
    async def on_rooms(self, session: ChatSession, payload: Payload) -> Answer:
        """``{after?, limit?}`` → ``rooms, more``: with what is unread in each."""
        allowance = self._allowance(session)
        page = await self.services.memberships.of_user(
            session.user,
            after=payload.get("after"),
            limit=payload["limit"],
            fits=allowance.fits,
        )
        if page.more and not page.rooms:
            raise allowance.full()
        return {
            "rooms": [
                {
                    "room": each.room,
                    "name": each.name,
                    "lastMessage": each.last_message,
                    "lastReadMessage": each.last_read_message,
                    "unread": each.unread,
                    "newest": each.newest and self._encoded(each.newest),
                }
                for each in page.rooms
            ],
            "more": page.more,
        }

    @guarded
    async def on_refresh(self, session: ChatSession, payload: Payload) -> Answer:
        """``{token}`` → ``expiresAt``: the session lives as long as the new token.

        Errors: ``unauthorized``, for a token of another user as well.
        """
        identity = await self.services.auth.authenticate(payload)
        self.services.sessions.refresh(
            session,
            user=identity.user,
            name=identity.name,
            expires_at=identity.expires_at,
        )
        ends = identity.expires_at
        return {"expiresAt": None if ends is None else int(ends * 1000)}

    def _allowance(self, session: ChatSession) -> Allowance:
        """Return what bounds one answer to a session, and keeps them from adding up."""
        limit = self.services.limits.answer_bytes
        return Allowance(self._connection(session.sid), limit)

    def _placed(self, done: Appended) -> dict[str, object]:
        """Return the ack of a message that is stored."""
        return {
            "message": done.message,
            "offset": done.offset,
            "uid": done.uid,
            "at": done.at,
            "duplicate": done.duplicate,
            "durability": self.services.log.durability,
        }

    async def _stored(self, use: Use, data: bytes) -> Upload:
        """Check and store an image for a message that is about to show it."""
        images = self.services.images
        upload = await images.check(data, owner=use.user)
        await self.services.image_uses.claim(upload.sizes, use)
        await images.keep(upload)
        return upload

    def _encoded(self, message: bytes) -> orjson.Fragment:
        """Pass a stored message on as it is, with a fresh address of its image."""
        images = self.services.images
        return orjson.Fragment(events.resign_images(message, images.address))
