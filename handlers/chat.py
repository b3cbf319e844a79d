"""The ``/chat`` namespace: one short method for each event of the catalogue."""

import asyncio
import logging
import time
from collections import Counter
from typing import Any, Final

import orjson
import socketio
from socketio.exceptions import ConnectionRefusedError as RefusedError

from handlers.access import require_place
from handlers.guard import Answer, Payload, error_answer, guarded
from handlers.syncing import join_all
from realtime import keys
from realtime.deferred_ack import DeferredAck
from realtime.errors import (
    ChatError,
    ForbiddenError,
    InternalError,
    NotAttendingError,
    RateLimitedError,
    UnknownEventError,
)
from realtime.rates import REST_SECONDS
from realtime.services import Services
from realtime.sessions import Session
from realtime.turnstile import Turnstile
from schemas.catalog import REQUESTS

NAMESPACE: Final = "/chat"
UNKNOWN: Final = "?"
"""Stands for the names of events that do not exist: they are the client's to choose."""

REQUESTS_A_TURN: Final = 2
"""Requests of one user begun in one turn of the event loop, over all connections. A
hundred connections at once then take no more of a turn than a few others do."""

EXPIRED: Final = {
    "code": "unauthorized",
    "message": "The token has expired; connect again with a new one.",
}

_LOG: Final = logging.getLogger(__name__)


class ChatNamespace(socketio.AsyncNamespace):
    """What clients may ask for.

    Each ``on_<event>`` is wrapped by :func:`handlers.guard.guarded`: it gets a session
    and a payload that is valid by the catalogue and has passed the access gate, and
    returns the ack without ``ok``.

    Args:
        services: The parts that carry the requests out.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(NAMESPACE)
        self.services = services
        self.errors: Counter[tuple[str, str]] = Counter()
        self.turns = Turnstile(REQUESTS_A_TURN)
        self.under_way = 0
        self.endings: Counter[str] = Counter()
        self._requests = {name: getattr(self, f"on_{name}") for name in REQUESTS}
        services.sessions.on_expiry(self.expire)

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
        self.try_patience(args[0])
        self.count(UNKNOWN, error)
        return error_answer(error)

    def count(self, event: str, error: ChatError) -> None:
        """Take note of an answer that is an error."""
        self.errors[event, error.code] += 1
        if error.limit is not None:
            self.services.limited[error.limit] += 1

    def try_patience(self, sid: str) -> None:
        """Take note of a refusal: whoever goes on is read slowly from then on."""
        services = self.services
        session = services.sessions.find(sid)
        if session is None or services.rates.is_patient(session.user, time.monotonic()):
            return
        services.limited["rate_refusals"] += 1
        self.server.slow_down(sid, NAMESPACE, REST_SECONDS)

    async def on_connect(
        self, sid: str, environ: dict[str, Any], auth: object = None
    ) -> None:
        """Authenticate: ``auth`` → session.

        Raises:
            ConnectionRefusedError: The client sees ``connect_error`` with ``data``:
                the error object of ``docs/protocol.md``.
        """
        try:
            identity = await self.services.auth.authenticate(auth)
            self.services.rates.take_connect(identity.user, time.monotonic())
            own = keys.user_sessions_room(identity.user)
            others = self.server.manager.recipients(NAMESPACE, own)
            require_place(
                self.services,
                user_sessions=len(others),
                address_sessions=self._sessions_of_address(sid),
            )
        except ChatError as error:
            self.count("connect", error)
            if error.limit == "rate_connect":
                await asyncio.sleep(REST_SECONDS)
            raise RefusedError(error.message, error.to_wire()) from None
        except Exception:  # noqa: BLE001 - logged; the connection lives or ends well
            _LOG.exception("Session %s could not be authenticated", sid)
            defect = InternalError("The server failed at this; it is in its log.")
            raise RefusedError(defect.message, defect.to_wire()) from None
        if self.server.manager.eio_sid_from_sid(sid, NAMESPACE) not in self._live():
            raise RefusedError("The connection was closed meanwhile.")
        self.services.sessions.open(
            Session(
                sid,
                identity.user,
                name=identity.name,
                expires_at=identity.expires_at,
                device=identity.device,
            )
        )
        await self.enter_room(sid, own)

    async def on_disconnect(self, sid: str, reason: object = None) -> None:
        """Let go of the session: it leaves its rooms, which learn of it."""
        session = self.services.sessions.close(sid)
        self.services.rates.forget(sid)
        if session is None:
            return
        self.endings[str(reason)] += 1
        self.services.attendance.end(session)

    async def expire(self, session: Session) -> None:
        """Tell a session that its token has ended, and close it."""
        try:
            await self.emit("token_expired", EXPIRED, to=session.sid)
        finally:
            await self.disconnect(session.sid)

    @guarded
    async def on_join(self, session: Session, payload: Payload) -> Answer:
        """``{room, cursor?}`` → where the room stands and what was missed.

        The session attends from the moment of the ack on. Broadcasts ``presence``.
        Errors: ``forbidden``, ``unavailable``.
        """
        pending = await self.services.attendance.join(
            session, payload["room"], payload.get("cursor")
        )
        return DeferredAck(pending.finish)

    @guarded
    async def on_sync(self, session: Session, payload: Payload) -> Answer:
        """``{rooms: [{room, cursor?}…]}`` → ``{rooms}``: as for join, one for each.

        A room that is denied carries its own ``error``; the others are joined.
        """
        rooms = payload["rooms"]
        services = self.services
        more = len(rooms) - 1
        services.rates.take_of_user(session.user, time.monotonic(), count=more)
        return await join_all(
            services.attendance,
            session,
            rooms,
            count=lambda error: self.count("sync", error),
        )

    @guarded
    async def on_leave(self, session: Session, payload: Payload) -> Answer:
        """``{room}`` → nothing: it attends no longer. Broadcasts ``presence``."""
        await self.services.attendance.leave(session, payload["room"])
        return None

    @guarded
    async def on_quit(self, session: Session, payload: Payload) -> Answer:
        """``{room}`` → nothing: the user is no member now. Broadcasts ``presence``."""
        await self.services.quits.quit(session, payload["room"])
        return None

    @guarded
    async def on_send(self, session: Session, payload: Payload) -> Answer:
        """A text or an image → its place in the room. Broadcasts ``message``.

        Errors: ``not_attending``, ``too_large``, ``unavailable`` (nothing was
        stored), ``unknown`` (repeat with the same ``clientId``).
        """
        services = self.services
        services.user_rates.take(session.user)
        room, client_id = payload.pop("room"), payload.pop("clientId")
        if "image" in payload:
            stored = await services.images.accept(payload["image"], owner=session.user)
            payload["image"] = services.images.describe(stored)
        try:
            done = await services.log.append(
                room=room, user=session.user, client_id=client_id, content=payload
            )
        except ForbiddenError:
            # It attends, and the user is no member: Redis lost the membership with its
            # newest data, or this node missed that they quit. The way back is `join`.
            await services.attendance.leave(session, room)
            raise NotAttendingError("Join the room first.") from None
        return {
            "message": done.message,
            "offset": done.offset,
            "uid": done.uid,
            "at": done.at,
            "duplicate": done.duplicate,
            "durability": done.durability,
        }

    @guarded
    async def on_mark_read(self, session: Session, payload: Payload) -> Answer:
        """``{room, message}`` → ``lastReadMessage, unread``. Broadcasts ``read``."""
        mark = await self.services.reads.mark(
            room=payload["room"], user=session.user, message=payload["message"]
        )
        return {"lastReadMessage": mark.last_read_message, "unread": mark.unread}

    @guarded
    async def on_typing(self, session: Session, payload: Payload) -> Answer:
        """``{room, on}`` → nothing. Broadcasts ``typing``."""
        room = payload["room"]
        typing = {"room": room, "user": session.user, "on": payload["on"]}
        await self.services.publisher.publish(room, "typing", typing)
        return None

    @guarded
    async def on_history(self, session: Session, payload: Payload) -> Answer:
        """``{room, before? | after?, limit?}`` → ``messages, more, firstAvailable``."""
        page = await self.services.log.history(
            room=payload["room"],
            before=payload.get("before"),
            after=payload.get("after"),
            limit=payload["limit"],
        )
        return {
            "messages": [self._encoded(raw) for raw in page.messages],
            "more": page.more,
            "firstAvailable": page.first_available,
        }

    @guarded
    async def on_rooms(self, session: Session, payload: Payload) -> Answer:
        """Nothing → ``rooms``: the user's rooms with what is unread in each."""
        found = await self.services.rooms.of_user(session.user)
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
                for each in found
            ]
        }

    @guarded
    async def on_refresh(self, session: Session, payload: Payload) -> Answer:
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

    def _encoded(self, message: bytes) -> orjson.Fragment:
        """Pass a stored message on as it is, with a fresh address of its image."""
        return orjson.Fragment(self.services.images.resign(message))

    def _sessions_of_address(self, sid: str) -> int:
        eio_sid = self.server.manager.eio_sid_from_sid(sid, NAMESPACE)
        connection = self.server.eio.sockets.get(eio_sid)
        address = connection and connection.address
        return address.sessions if address and address.is_limited else 0

    def _is_connected(self, sid: str) -> bool:
        return bool(self.server.manager.is_connected(sid, NAMESPACE))

    def _live(self) -> Any:
        """Return the Engine.IO ids of open connections."""
        return self.server.environ
