"""One connection to Redis, read in batches and written without waiting.

redis-py opens the connection; from then on bytes are parsed by hiredis, and all the
replies that one read brings are handed over together. That is what makes coalescing
possible: redis-py's own reader yields one reply a turn of the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from realtime.redis.url import ConnectionFactory, PrimaryConnection
from realtime.tasks import heed_cancellation

# A word of a command.
Argument = str | bytes | int | float

# Deadline of closing: a silently cut connection never confirms.
CLOSE_SECONDS = 1.0

# Takes the replies that one read completed.
Take = Callable[[list[Any]], None]


class ConnectionLostError(Exception):
    """The connection could not be made, or it ended."""


class ReplyError(Exception):
    """Redis refused one command; the text begins with the error's code."""

    @property
    def code(self) -> str:
        """The first word of the error: ``NOSCRIPT``, ``READONLY``, ``OOM`` ..."""
        return str(self).partition(" ")[0]


def pack(*command: Argument) -> bytes:
    """Encode a command for Redis."""
    # hiredis annotates the parameter as a tuple of one.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed


class RedisConnection(asyncio.Protocol):
    """A connection to Redis. Made by :meth:`connect`, ended by :meth:`close`.

    It takes the transport over from redis-py, so that bytes become replies in the very
    call in which the event loop brings them: no task wakes up in between.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # redis-py has no public way to its transport, but for this private name.
        # tests/redis/test_connection.py notices when it changes.
        writer = connection._writer
        if writer is None:
            raise ConnectionLostError("the connection closed while it was being made")
        self._transport: asyncio.WriteTransport = writer.transport
        self._replies = hiredis.Reader(
            replyError=ReplyError,
            protocolError=ConnectionLostError,
            notEnoughData=_NOT_YET,
        )
        self._take: Take | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport.set_protocol(self)

    @classmethod
    async def connect(
        cls, factory: ConnectionFactory, *, timeout_seconds: float
    ) -> "RedisConnection":
        """Connect, authenticate and select the database.

        Raises:
            ConnectionLostError: for whatever stands in the way, the deadline included.
        """
        connection = factory()
        try:
            async with asyncio.timeout(timeout_seconds):
                await connection.connect()
            heed_cancellation()
            return cls(connection)
        except Exception as error:
            await _release(connection)
            heed_cancellation()
            raise ConnectionLostError(_reason(error)) from error
        except asyncio.CancelledError:
            await _release(connection)
            raise

    def write(self, packed: bytes) -> None:
        """Queue bytes for sending; errors show up in :meth:`serve`."""
        self._transport.write(packed)

    async def serve(self, take: Take) -> None:
        """Hand replies over until the connection ends. To be called once, at once.

        Args:
            take: Takes all the replies that one read completes, without suspending.
                Errors that Redis answers are :class:`ReplyError` values. What it
                raises ends the connection.

        Raises:
            ConnectionLostError: The connection ended or broke the protocol.
            Exception: What ``take`` raised.
        """
        self._take = take
        await self._ended

    def data_received(self, data: bytes) -> None:
        """Complete replies with what was read. Called by the event loop."""
        if self._ended.done():
            return
        try:
            self._replies.feed(data)
            replies = []
            while (reply := self._replies.gets()) is not _NOT_YET:
                replies.append(reply)
            if replies and self._take is not None:
                self._take(replies)
        except Exception as error:  # noqa: BLE001 - raised by `serve`
            self._end(error)

    async def leave_former_primary(self) -> None:
        """Cut the connection once the Sentinels name another primary, if there are any.

        The former one may serve on for many seconds: what it takes then is lost.
        """
        if isinstance(self._connection, PrimaryConnection):
            self.abort(await self._connection.replaced())

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end. Called by the event loop."""
        reason = "Redis closed the connection" if exc is None else _reason(exc)
        self._end(ConnectionLostError(reason))

    def abort(self, because: str) -> None:
        """Cut the connection now; :meth:`serve` raises with the reason."""
        self._end(ConnectionLostError(because))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)
            # Looked at by `serve`, unless it ends before it is served.
            self._ended.exception()
        self._transport.abort()

    async def close(self) -> None:
        """Close without waiting for the other side; never raises."""
        self._end(ConnectionLostError("closed"))
        await _release(self._connection)


_NOT_YET: Any = object()


async def _release(connection: AbstractConnection) -> None:
    """Close a connection, however far it came, without waiting for the other side."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await connection.disconnect(nowait=True)
    except (RedisError, OSError, TimeoutError):
        # Its transport is closed already: there is nothing left to release.
        return


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error) or type(error).__name__
