"""The sessions of this node, and the one task that ends them when their token does."""

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from realtime.errors import UnauthorizedError

# Tokens speak of the wall clock, which may be set; so it is looked at this often.
LONGEST_SLEEP_SECONDS: Final = 30.0

# Time to tell one session of its end and to close it.
EXPIRE_SECONDS: Final = 5.0

# Sessions ended at the same time: one that hangs must not hold up the others.
EXPIRE_TOGETHER: Final = 64

# Outdated heap entries that are always tolerated, before counting sessions.
STALE_ENTRIES: Final = 1_024

_logger = logging.getLogger(__name__)


class ChatSession:
    """One authenticated Socket.IO connection of a user.

    Attributes:
        sid: Its Socket.IO session id.
        user: The user's id.
        name: The display name, if the token has one.
        picture: The address of a picture, if the token has one.
        expires_at: Unix seconds when the token ends; None: never.
        device: The id that the client gave its device, if any.
        issued_at: Unix seconds when its token was made; None: it does not say.
        ended: Whether its connection is gone.
        rooms: The rooms whose session lists name it; kept by :class:`Roster`.
        is_by_key: Whether an API key asks; no connection does so.
        fingerprint: What tells a request of it from another one of the same
            ``clientId``; empty: the first one counts, as over a socket.
    """

    __slots__ = (
        "device",
        "ended",
        "expires_at",
        "issued_at",
        "name",
        "picture",
        "rooms",
        "sid",
        "user",
    )
    is_by_key: bool = False
    fingerprint: str = ""

    def __init__(
        self,
        sid: str,
        user: str,
        *,
        name: str | None = None,
        picture: str | None = None,
        expires_at: float | None = None,
        device: str | None = None,
        issued_at: float | None = None,
    ) -> None:
        self.sid = sid
        self.user = user
        self.name = name
        self.picture = picture
        self.expires_at = expires_at
        self.device = device
        self.issued_at = issued_at
        self.ended = False
        self.rooms: dict[str, int] = {}


Expire = Callable[[ChatSession], Awaitable[None]]


class Sessions:
    """The registry of this node's sessions, by sid.

    Args:
        clock: Returns Unix seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[str, ChatSession] = {}
        # (expires_at, sid); an entry whose session is gone or was refreshed since is
        # skipped when it comes up.
        self._ends: list[tuple[float, str]] = []
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        return len(self._sessions)

    def held(self) -> dict[str, int]:
        """Return what is kept of sessions, counted by kind."""
        return {"sessions": len(self._sessions), "session_ends": len(self._ends)}

    def __iter__(self) -> Iterator[ChatSession]:
        return iter(list(self._sessions.values()))

    def find(self, sid: str) -> ChatSession | None:
        """Return a live session: neither ended nor past its expiry."""
        session = self._sessions.get(sid)
        if session is None or self._is_over(session):
            return None
        return session

    def open(self, session: ChatSession) -> None:
        """Enter a session; at its expiry it is told and closed."""
        self._sessions[session.sid] = session
        self._schedule(session)

    def refresh(
        self,
        session: ChatSession,
        *,
        user: str,
        name: str | None,
        picture: str | None,
        expires_at: float | None,
        issued_at: float | None = None,
    ) -> None:
        """Give a live session the lifetime and the name of a new token.

        Raises:
            UnauthorizedError: The token is another user's; nothing changed.
        """
        if user != session.user:
            raise UnauthorizedError(
                "The token belongs to another user; connect again with it."
            )
        session.name = name
        session.picture = picture
        session.expires_at = expires_at
        session.issued_at = issued_at
        self._schedule(session)

    def close(self, sid: str) -> ChatSession | None:
        """Remove a session whose connection ended, and return it if it was there."""
        return self._sessions.pop(sid, None)

    def _is_over(self, session: ChatSession) -> bool:
        return session.expires_at is not None and session.expires_at <= self._clock()

    def _schedule(self, session: ChatSession) -> None:
        if session.expires_at is None:
            return
        if len(self._ends) > 2 * len(self._sessions) + STALE_ENTRIES:
            self._ends = [
                (each.expires_at, each.sid)
                for each in self._sessions.values()
                if each.expires_at is not None
            ]
            heapq.heapify(self._ends)
        else:
            heapq.heappush(self._ends, (session.expires_at, session.sid))
        if self._ends[0][1] == session.sid:
            self._earlier.set()

    async def run(self, expire: Expire) -> None:
        """End sessions when their tokens do, until cancelled.

        Args:
            expire: Tells a session of its end and closes it.
        """
        while True:
            due = self._take_due()
            if due:
                await end_all(due, expire)
                continue
            self._earlier.clear()
            # Not wait_for: before Python 3.12 it may swallow a cancellation (gh-86296).
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sleep_seconds()):
                    await self._earlier.wait()

    def _sleep_seconds(self) -> float:
        if not self._ends:
            return LONGEST_SLEEP_SECONDS
        left = self._ends[0][0] - self._clock()
        return min(max(left, 0.0), LONGEST_SLEEP_SECONDS)

    def _take_due(self) -> list[ChatSession]:
        now = self._clock()
        due: dict[str, ChatSession] = {}
        while self._ends and self._ends[0][0] <= now and len(due) < EXPIRE_TOGETHER:
            expires_at, sid = heapq.heappop(self._ends)
            session = self._sessions.get(sid)
            if session is not None and session.expires_at == expires_at:
                due[sid] = session
        return list(due.values())


async def end_all(sessions: Iterable[ChatSession], expire: Expire) -> None:
    """End sessions at the same time; one that hangs holds up none."""
    await asyncio.gather(*(_end(session, expire) for session in sessions))


async def _end(session: ChatSession, expire: Expire) -> None:
    try:
        async with asyncio.timeout(EXPIRE_SECONDS):
            await expire(session)
    except Exception:
        # One session must not end the task of all; it can do nothing any more, for
        # find() no longer returns it.
        _logger.exception("Expired session %s could not be closed", session.sid)
