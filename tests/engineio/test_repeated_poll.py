"""A poll that is sent again behind the client's back, and one that only looks so."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.kit.serving import Served, serve
from tests.kit.waiting import DEADLINE_SECONDS

# ``SO_LINGER`` at zero seconds: closing resets the connection.
RESET = struct.pack("ii", 1, 0)


async def poll(served: Served, sid: str, t: str) -> str:
    """Poll over a connection that is kept."""
    async with served.http.get(served.url(sid=sid) + f"&t={t}") as response:
        return await response.text()


@asynccontextmanager
async def polled(
    served: Served, sid: str, t: str
) -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Poll over a connection of its own; give the answer and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    path = served.path("polling", sid)
    writer.write(f"GET {path}&t={t} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    async with asyncio.timeout(DEADLINE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.split("content-length: ")[1].split("\r\n")[0])
        body = await reader.readexactly(size)
    try:
        yield body.decode(), writer
    finally:
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection, as a network does."""
    made = writer.get_extra_info("socket")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


@pytest.mark.parametrize("t", ["OqZ3x1a", "1732850000", "1732850000.123456"])
async def test_an_answer_whose_connection_broke_is_given_once_more(t: str) -> None:
    """A browser repeats the GET by itself; the answer must not be lost, nor doubled."""
    async with serve() as served:
        sid = await served.open_polling()
        served.eio.write(sid, "one")
        async with polled(served, sid, t) as (body, writer):
            assert body == "4one"
            reset(writer)
            served.eio.write(sid, "two")
            assert await poll(served, sid, t) == "4one"
        assert await poll(served, sid, t) == "4two"


@pytest.mark.parametrize("t", ["1732850000", "OqZ3x1a"])
async def test_polls_of_the_same_moment_each_get_the_next_answer(t: str) -> None:
    """Clients count ``t`` in seconds or milliseconds; nothing comes twice to them."""
    async with serve() as served:
        sid = await served.open_polling()
        for number in range(4):
            served.eio.write(sid, str(number))
            assert await poll(served, sid, t) == f"4{number}"


async def test_coarse_polls_over_connections_of_their_own() -> None:
    """A client that closes each connection in order has read its answer."""
    async with serve() as served:
        sid = await served.open_polling()
        for number in range(4):
            served.eio.write(sid, str(number))
            async with polled(served, sid, "1732850000") as (body, _writer):
                assert body == f"4{number}"


async def test_a_proxy_that_swallowed_the_answer() -> None:
    """It closes in order; a ``t`` that nobody makes twice says that it is a repeat."""
    async with serve() as served:
        sid = await served.open_polling()
        served.eio.write(sid, "one")
        async with polled(served, sid, "OqZ3x1a") as (body, _writer):
            assert body == "4one"
        assert await poll(served, sid, "OqZ3x1a") == "4one"


async def test_only_the_last_poll_can_be_repeated() -> None:
    """What was answered before the last poll has arrived: the client polled again."""
    async with serve() as served:
        sid = await served.open_polling()
        for number, t in enumerate("abc"):
            served.eio.write(sid, str(number))
            async with polled(served, sid, t) as (body, writer):
                assert body == f"4{number}"
                reset(writer)
        served.eio.write(sid, "next")
        assert await poll(served, sid, "a") == "4next"
