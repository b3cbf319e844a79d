"""A Redis that cannot hold the rooms is named plainly before anything is served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from realtime.errors import StartError
from realtime.redis.check import check_redis
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS

TIMEOUT_SECONDS = 2_000 * MS


async def _complaint(url: str) -> str:
    with pytest.raises(StartError) as raised:
        await check_redis(url, timeout_seconds=TIMEOUT_SECONDS)
    return str(raised.value)


@asynccontextmanager
async def _old_redis() -> AsyncIterator[str]:
    """Answer as Redis 6.2 would; none that old can be installed beside the tests."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        info = b"redis_version:6.2.14\r\n"
        while b"\r\nINFO\r\n" not in (received := await reader.read(4096)):
            # A greeting: every command of it begins with the count of its words.
            writer.write(b"+OK\r\n" * received.count(b"*"))
        writer.write(b"$%d\r\n%s\r\n" % (len(info), info))
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_fitting_redis_passes(redis_url: str) -> None:
    """The embedded Valkey itself is what the server wants."""
    await check_redis(redis_url, timeout_seconds=TIMEOUT_SECONDS)


async def test_fsync_needs_an_append_only_file(redis_server: RedisServer) -> None:
    """A level that Redis cannot reach is named at start, not with each message."""
    redis_server.admin.config_set("appendonly", "no")
    try:
        with pytest.raises(StartError, match="appendonly yes"):
            await check_redis(
                redis_server.url, timeout_seconds=TIMEOUT_SECONDS, durability="fsync"
            )
    finally:
        redis_server.admin.config_set("appendonly", "yes")


async def test_what_a_user_may_not_ask_is_named(redis_server: RedisServer) -> None:
    """A user who may not ask for the version is told apart from no connection."""
    redis_server.admin.acl_setuser("chat", enabled=True, nopass=True)
    try:
        text = await _complaint(redis_server.url.replace("://", "://chat:any@"))
    finally:
        redis_server.admin.acl_deluser("chat")

    assert "does not let this user do what is needed" in text
    assert "info" in text


async def test_eviction_is_refused(redis_server: RedisServer) -> None:
    """A Redis that may evict keys would lose messages without a word."""
    redis_server.admin.config_set("maxmemory-policy", "allkeys-lru")
    try:
        text = await _complaint(redis_server.url)
    finally:
        redis_server.admin.config_set("maxmemory-policy", "noeviction")

    assert "maxmemory-policy allkeys-lru" in text
    assert "noeviction" in text


async def test_an_unreachable_redis_is_named(tmp_path: Path) -> None:
    """The address is told, its password is not."""
    text = await _complaint("redis://:pass-word@127.0.0.1:1/0")

    assert "redis://:***@127.0.0.1:1/0 cannot be reached" in text
    assert "pass-word" not in text
    assert "cannot be reached" in await _complaint(f"unix://{tmp_path}/no.sock")


async def test_a_wrong_password_is_named(redis_server: RedisServer) -> None:
    """A refused login is told apart from an unreachable server."""
    redis_server.admin.acl_setuser("chat", enabled=True, passwords=["+right"])
    try:
        text = await _complaint(redis_server.url.replace("://", "://chat:wrong@"))
    finally:
        redis_server.admin.acl_deluser("chat")

    assert "refuses the login" in text
    assert "wrong@" not in text


async def test_a_missing_password_is_named() -> None:
    """Over TCP too, where Redis is asked for the database before anything else."""

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while received := await reader.read(4096):
                refusal = b"-NOAUTH Authentication required.\r\n"
                writer.write(refusal * received.count(b"*"))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        text = await _complaint(f"redis://127.0.0.1:{port}/0")

    assert "refuses the login: Authentication required" in text


async def test_a_redis_that_does_not_answer_is_named(
    redis_server: RedisServer,
) -> None:
    """A stopped Redis ends the start at the deadline instead of hanging it."""
    redis_server.pause()

    with pytest.raises(StartError, match="cannot be reached"):
        await check_redis(redis_server.url, timeout_seconds=200 * MS)


async def test_an_old_redis_is_refused() -> None:
    """The version that is there and the one that is needed are told."""
    async with _old_redis() as url:
        text = await _complaint(url)

    assert "version 6.2.14; 7.0 or newer" in text
