"""Keeps a connection to Redis: it is made again whenever it ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from realtime.redis.connection import ConnectionLostError, RedisConnection
from realtime.redis.url import ConnectionFactory
from realtime.tasks import end_task

_logger = logging.getLogger(__name__)

# Pause between two attempts to connect: constant, because a longer one costs messages'
# time and a refused connect on one's own network costs nothing.
RECONNECT_SECONDS: Final = 0.1


class Reconnector:
    """Connects, has the connection served until it ends, and connects again.

    Args:
        name: What the connection is for, in the log.
        factory: Makes the connections.
        connect_seconds: Deadline of connecting.
        serve: Serves a connection; returns never, raises when it ends.
        lost: Called, without suspending, when a served connection has ended.
    """

    def __init__(
        self,
        name: str,
        factory: ConnectionFactory,
        *,
        connect_seconds: float,
        serve: Callable[[RedisConnection], Awaitable[None]],
        lost: Callable[[], None],
    ) -> None:
        self._name = name
        self._factory = factory
        self._connect_seconds = connect_seconds
        self._serve = serve
        self._lost = lost
        # Why there is no connection, as the log says it; empty: there is one.
        self._failure = "not connected yet"

    def mark_connected(self) -> None:
        """Take note that the connection serves; said once in the log."""
        if self._failure:
            _logger.info("%s: connected", self._name)
        self._failure = ""

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        while True:
            try:
                connection = await RedisConnection.connect(
                    self._factory, timeout_seconds=self._connect_seconds
                )
            except ConnectionLostError as error:
                self._note(error)
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            loop = asyncio.get_running_loop()
            pause_until = loop.time() + RECONNECT_SECONDS
            watching = asyncio.create_task(
                self._watch_primary(connection), name="redis-primary"
            )
            try:
                await self._serve(connection)
            except ConnectionLostError as error:
                self._note(error)
            except Exception:
                # A defect of whoever takes the replies must not end the connection
                # for good: the node would be deaf, or mute.
                _logger.exception("%s: the connection is given up", self._name)
                pause_until = loop.time() + RECONNECT_SECONDS
            finally:
                self._lost()
                try:
                    await end_task(watching)
                finally:
                    await connection.close()
            # One that ended at once (SUBSCRIBE is not allowed, no primary any more)
            # will do so again: not a thousand times a second.
            await asyncio.sleep(max(0.0, pause_until - loop.time()))

    async def _watch_primary(self, connection: RedisConnection) -> None:
        try:
            await connection.leave_former_primary()
        except Exception:
            _logger.exception("%s: the Sentinels cannot be understood", self._name)

    def _note(self, error: ConnectionLostError) -> None:
        if str(error) != self._failure:
            _logger.warning("%s: %s", self._name, error)
        self._failure = str(error)
