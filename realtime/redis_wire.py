"""One connection to Redis, read in batches and written without waiting.

redis-py opens the connection; from then on bytes are parsed by hiredis, and all the
replies that one read brings are handed over together. That is what makes coalescing
possible: redis-py's own reader yields one reply a turn of the event loop.
"""

import asyncio
from typing import Any

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from realtime.redis_url import ConnectionFactory

Argument = str | bytes | int | float
"""A word of a command."""

READ_BYTES = 256 * 1024
"""Most bytes taken by one read; what Redis sends in one go fits well."""

CLOSE_SECONDS = 1.0
"""Deadline of closing: a silently cut connection never confirms."""


class WireError(Exception):
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


class RedisWire:
    """A connected wire. Made by :meth:`connect`, ended by :meth:`close`."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        # redis-py has no public way to its streams. These two attributes are the
        # only private ones that the project uses.
        reader, writer = connection._reader, connection._writer
        if reader is None or writer is None:
            raise WireError("the connection closed while it was being made")
        self._reader: asyncio.StreamReader = reader
        self._writer: asyncio.StreamWriter = writer
        self._aborted_because = ""
        self._replies = hiredis.Reader(
            replyError=ReplyError, protocolError=WireError, notEnoughData=_NOT_YET
        )

    @classmethod
    async def connect(
        cls, factory: ConnectionFactory, *, timeout_seconds: float
    ) -> "RedisWire":
        """Connect, authenticate and select the database.

        Raises:
            WireError: for whatever stands in the way, the deadline included.
        """
        connection = factory()
        try:
            async with asyncio.timeout(timeout_seconds):
                await connection.connect()
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # redis-py goes on when it is cancelled in the middle of a handshake;
                # without this a node that reconnects could not be shut down.
                raise asyncio.CancelledError
            return cls(connection)
        except Exception as error:
            await _release(connection)
            raise WireError(_reason(error)) from error
        except asyncio.CancelledError:
            await _release(connection)
            raise

    def write(self, packed: bytes) -> None:
        """Queue bytes for sending; errors show up in :meth:`read_batch`."""
        self._writer.write(packed)

    @property
    def unsent_bytes(self) -> int:
        """Bytes written that the kernel has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    async def read_batch(self) -> list[Any]:
        """Wait for bytes and return all the replies they complete (maybe none).

        Errors that Redis answers are returned as :class:`ReplyError` values.

        Raises:
            WireError: when the connection ended or broke the protocol.
        """
        try:
            received = await self._reader.read(READ_BYTES)
        except OSError as error:
            # ETIMEDOUT from TCP keepalive is TimeoutError, a subclass of OSError.
            raise WireError(_reason(error)) from error
        if not received:
            raise WireError(self._aborted_because or "Redis closed the connection")
        self._replies.feed(received)
        replies = []
        while (reply := self._replies.gets()) is not _NOT_YET:
            replies.append(reply)
        return replies

    def abort(self, because: str) -> None:
        """Cut the connection now; :meth:`read_batch` raises with the reason."""
        self._aborted_because = because
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close without waiting for the other side; never raises."""
        self._writer.transport.abort()
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
