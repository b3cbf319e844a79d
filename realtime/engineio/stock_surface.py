"""What ``engineio.AsyncServer`` offers beyond what the server itself needs."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from realtime.engineio import protocol
from realtime.engineio.protocol import Reason
from realtime.engineio.session import Session
from realtime.engineio.sid_marks import MARK_BITS

# 96 random bits and a counter of 24: as python-engineio's ids, 20 characters.
_RANDOM_BYTES: Final = 12
_COUNTER_BITS: Final = 24


class StockSurface:
    """Methods of ``engineio.AsyncServer``, on the sessions of our own server.

    Args:
        sessions: The open sessions by id.
        json: A module whose ``dumps`` encodes lists and mappings.
        sid_mark: What :mod:`realtime.engineio.sid_marks` finds in all ids; None: they
            have a longer counter there.
    """

    reason = Reason
    event_names = ("connect", "disconnect", "message")
    valid_transports = ("polling", "websocket")
    async_mode = "aiohttp"

    def __init__(
        self, sessions: dict[str, Session], *, json: Any, sid_mark: int | None = None
    ) -> None:
        self.sockets = sessions
        self._json = json
        self._sequence_number = 0
        bits = _COUNTER_BITS if sid_mark is None else _COUNTER_BITS - MARK_BITS
        self._counter_mask = (1 << bits) - 1
        self._sid_mark = 0 if sid_mark is None else sid_mark << bits

    def is_asyncio_based(self) -> bool:
        """Return True."""
        return True

    def async_modes(self) -> list[str]:
        """Return the supported values of ``async_mode``."""
        return ["aiohttp"]

    async def send(self, sid: str, data: object) -> None:
        """Send a message; nothing happens when the session is gone."""
        session = self.sockets.get(sid)
        if session is not None:
            session.send(self._as_message(data))

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Send an ``engineio.packet.Packet``; nothing when the session is gone."""
        session = self.sockets.get(sid)
        if session is None:
            return
        if str(pkt.packet_type) == protocol.MESSAGE:
            session.send(self._as_message(pkt.data))
        else:
            session.send_packet(pkt.encode())

    def _as_message(self, data: object) -> str | bytes:
        if isinstance(data, str | bytes):
            return data
        if isinstance(data, bytearray | memoryview):
            return bytes(data)
        if isinstance(data, list | dict):
            return str(self._json.dumps(data, separators=(",", ":")))
        return "" if data is None else str(data)

    async def get_session(self, sid: str) -> dict[Any, Any]:
        """Return the application's dictionary of a session.

        Raises:
            KeyError: when there is no such session.
        """
        return self._get_socket(sid).session

    async def save_session(self, sid: str, session: dict[Any, Any]) -> None:
        """Replace the application's dictionary of a session.

        Raises:
            KeyError: when there is no such session.
        """
        self._get_socket(sid).session = session

    @asynccontextmanager
    async def session(self, sid: str) -> AsyncIterator[dict[Any, Any]]:
        """Give a session's dictionary, and save it at the end of the block."""
        values = await self.get_session(sid)
        yield values
        await self.save_session(sid, values)

    async def disconnect(self, sid: str | None = None) -> None:
        """Close a session, or all of them."""
        if sid is not None:
            session = self.sockets.get(sid)
            if session is not None:
                session.close(Reason.SERVER_DISCONNECT)
            return
        for session in list(self.sockets.values()):
            session.close(Reason.SERVER_DISCONNECT)

    def transport(self, sid: str) -> str:
        """Return ``polling`` or ``websocket``.

        Raises:
            KeyError: when there is no such session.
        """
        return "websocket" if self._get_socket(sid).upgraded else "polling"

    def start_background_task(
        self, target: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Run ``target(*args, **kwargs)`` as a task; the caller owns it."""
        return asyncio.ensure_future(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleep without blocking the loop."""
        await asyncio.sleep(seconds)

    def create_queue(self, *args: Any, **kwargs: Any) -> asyncio.Queue[Any]:
        """Return an ``asyncio.Queue``."""
        return asyncio.Queue(*args, **kwargs)

    def get_queue_empty_exception(self) -> type[Exception]:
        """Return ``asyncio.QueueEmpty``."""
        return asyncio.QueueEmpty

    def create_event(self) -> asyncio.Event:
        """Return an ``asyncio.Event``."""
        return asyncio.Event()

    def generate_id(self) -> str:
        """Return a new session id that nobody can guess."""
        number = self._sid_mark | self._sequence_number
        self._sequence_number = (self._sequence_number + 1) & self._counter_mask
        unguessable = secrets.token_bytes(_RANDOM_BYTES) + number.to_bytes(3, "big")
        return base64.urlsafe_b64encode(unguessable).decode("ascii")

    def _get_socket(self, sid: str) -> Session:
        """Return a session; the admin UI's instrumentation asks for it."""
        session = self.sockets.get(sid)
        if session is None:
            raise KeyError("Session not found")
        return session
