"""Who may connect, and how a session ends."""

import asyncio
import time
from collections import Counter
from typing import Any, Final, NoReturn

import socketio
from socketio.exceptions import ConnectionRefusedError as RefusedError

from handlers.access import require_place
from handlers.guard import as_chat_error
from handlers.hello import Hello
from realtime.auth.tokens import is_good
from realtime.elsewhere import Kind
from realtime.errors import ChatError
from realtime.presence.sessions import EXPIRE_TOGETHER, ChatSession, end_all
from realtime.rates import PENALTY_SECONDS
from realtime.services import Services
from realtime.store import keys

EXPIRED: Final = {
    "code": "unauthorized",
    "message": "The token has expired; connect again with a new one.",
}


class SessionNamespace(socketio.AsyncNamespace):
    """A namespace whose connections are sessions of users that proved who they are.

    Args:
        namespace: Its name.
        services: The parts that carry the requests out.
    """

    def __init__(self, namespace: str, services: Services) -> None:
        super().__init__(namespace)
        self.services = services
        self._hello = Hello(services.told_limits)
        self.errors: Counter[tuple[str, str]] = Counter()
        """How often an event was answered with a code, asked for an ack or not."""
        self.endings: Counter[str] = Counter()
        """How often a session ended for a reason."""

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
            others = len(self.server.manager.recipients(self.namespace, own))
            elsewhere = self.services.elsewhere.held(Kind.USER_SESSIONS, identity.user)
            require_place(
                self.services,
                user_sessions=others + elsewhere,
                address_sessions=self._sessions_of_address(sid),
            )
        except Exception as failure:  # noqa: BLE001 - logged, and answered
            await self._refuse(failure, sid)
        if self._eio_sid(sid) not in self.server.environ:
            raise RefusedError("The connection was closed meanwhile.")
        self.services.sessions.open(
            ChatSession(
                sid,
                identity.user,
                name=identity.name,
                picture=identity.picture,
                expires_at=identity.expires_at,
                device=identity.device,
                issued_at=identity.issued_at,
            )
        )
        self.services.traffic.connects += 1
        self.services.profiles.note(identity.user, identity.name, identity.picture)
        self.services.elsewhere.change(Kind.USER_SESSIONS, identity.user, 1)
        await self.enter_room(sid, own)

    def greeting(self, sid: str) -> list[str]:
        """Return the packets that a session is sent with the answer to its connect."""
        session = self.services.sessions.find(sid)
        return [] if session is None else [self._hello.packet(session)]

    async def _refuse(self, failure: Exception, sid: str) -> NoReturn:
        """Answer a CONNECT that is not let in.

        Not in the handler, whose frame the failure leads to: in a circle the two would
        keep all that a stranger sent until garbage is collected.
        """
        error = as_chat_error(failure, "connect", sid)
        self.count("connect", error)
        if error.limit == "rate_connect":
            await asyncio.sleep(PENALTY_SECONDS)
        raise RefusedError(error.message, error.to_wire()) from None

    async def on_disconnect(self, sid: str, reason: object = None) -> None:
        """Let go of the session: it leaves its rooms, which learn of it."""
        session = self.services.sessions.close(sid)
        self.services.rates.forget(sid)
        if session is None:
            return
        self.services.elsewhere.change(Kind.USER_SESSIONS, session.user, -1)
        self.endings[str(reason)] += 1
        self.services.attendance.end(session)
        self.services.personal.end(session)

    async def expire(self, session: ChatSession) -> None:
        """Tell a session that its token has ended, and close it."""
        try:
            await self.emit("token_expired", EXPIRED, to=session.sid)
        finally:
            await self.disconnect(session.sid)

    async def revoke(self, user: str, good_from: int) -> None:
        """End a user's sessions here whose tokens are from before a Unix second."""
        own = keys.user_sessions_room(user)
        found = map(
            self.services.sessions.find,
            list(self.server.manager.recipients(self.namespace, own)),
        )
        revoked = [
            session
            for session in found
            if session is not None and not is_good(session.issued_at, good_from)
        ]
        for start in range(0, len(revoked), EXPIRE_TOGETHER):
            await end_all(revoked[start : start + EXPIRE_TOGETHER], self.expire)

    def count(self, event: str, error: ChatError) -> None:
        """Take note of an answer that is an error."""
        self.errors[event, error.code] += 1
        if error.limit is not None:
            self.services.limited[error.limit] += 1

    def count_refusal(self, sid: str) -> None:
        """Take note of a refusal: whoever goes on is read slowly from then on."""
        services = self.services
        session = services.sessions.find(sid)
        if session is None or services.rates.take_refusal(
            session.user, time.monotonic()
        ):
            return
        services.limited["rate_refusals"] += 1
        self.server.slow_down(sid, self.namespace, PENALTY_SECONDS)

    def _sessions_of_address(self, sid: str) -> int:
        connection = self._connection(sid)
        address = connection and connection.address
        return address.all_sessions if address and address.is_limited else 0

    def _is_connected(self, sid: str) -> bool:
        return bool(self.server.manager.is_connected(sid, self.namespace))

    def _connection(self, sid: str) -> Any:
        """Return the Engine.IO session that a session came over, None if it ended."""
        return self.server.eio.sockets.get(self._eio_sid(sid))

    def _eio_sid(self, sid: str) -> Any:
        return self.server.manager.eio_sid_from_sid(sid, self.namespace)
