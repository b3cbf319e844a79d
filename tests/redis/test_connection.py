"""One connection: taken over from redis-py, whose private name is used for that."""

import asyncio
from typing import Any

import pytest

from realtime.redis.connection import ConnectionLostError, RedisConnection, pack
from realtime.redis.url import connection_factory
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS

TIMEOUT_SECONDS = 3_000 * MS


async def test_redis_py_hands_its_transport_over(redis_server: RedisServer) -> None:
    """A release of redis-py that keeps it elsewhere fails here before anywhere else."""
    factory = connection_factory(redis_server.url, timeout_seconds=TIMEOUT_SECONDS)
    opened = factory()
    await opened.connect()
    assert isinstance(opened._writer, asyncio.StreamWriter)
    connection = RedisConnection(opened)
    assert opened._writer.transport.get_protocol() is connection
    replies: list[Any] = []

    def take(found: list[Any]) -> None:
        replies.extend(found)
        connection.abort("all is answered")

    connection.write(pack("ECHO", "taken over"))
    async with asyncio.timeout(TIMEOUT_SECONDS):
        with pytest.raises(ConnectionLostError, match="all is answered"):
            await connection.serve(take)
    assert replies == [b"taken over"]
    await connection.close()


async def test_one_that_is_closed_is_not_taken_over(redis_server: RedisServer) -> None:
    """Redis cut it in the very moment it was made: that is said, as of any cut."""
    factory = connection_factory(redis_server.url, timeout_seconds=TIMEOUT_SECONDS)
    opened = factory()
    await opened.connect()
    await opened.disconnect(nowait=True)
    with pytest.raises(ConnectionLostError, match="while it was being made"):
        RedisConnection(opened)
