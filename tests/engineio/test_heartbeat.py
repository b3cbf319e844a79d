"""Pings, pongs and what happens without them."""

import asyncio
import time

import pytest

from realtime.engineio.protocol import Reason
from tests.kit.raw_socket import client_frame, raw_socket
from tests.kit.serving import Served, serve
from tests.kit.waiting import MS, wait_until

# More than the kernel takes at once of what nobody reads.
LONG = 20_000_000


async def test_pings_come_at_their_interval() -> None:
    """Intervals below a second are neither dropped nor rounded up to one."""
    async with (
        serve(ping_interval=60 * MS, ping_timeout=5_000 * MS) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        began = time.monotonic()
        for _ in range(3):
            assert await socket.text() == "2"
            socket.send("3")
        assert 170 * MS <= time.monotonic() - began <= 2_500 * MS
        assert not served.ended


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_no_pong_ends_the_session(transport: str) -> None:
    """After ping_timeout without an answer the session is over."""
    async with serve(ping_interval=30 * MS, ping_timeout=300 * MS) as served:
        if transport == "polling":
            sid = await served.open_polling()
            assert (await served.poll(sid)) == (200, "2")
            await wait_until(lambda: served.ended, "the end is told")
            assert (await served.poll(sid))[0] == 400
        else:
            async with raw_socket(served.port, served.path("websocket")) as socket:
                await socket.text()
                assert await socket.text() == "2"
                assert await socket.close_code() == 1000
        await wait_until(lambda: served.ended, "the end is told")
        assert [reason for _sid, reason in served.ended] == [Reason.PING_TIMEOUT]


async def test_stray_pongs_do_not_put_the_ping_off() -> None:
    """Only the answer to a ping counts; more pongs change nothing."""
    async with (
        serve(ping_interval=100 * MS, ping_timeout=100 * MS) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        ping = asyncio.create_task(socket.text())

        def is_pinged() -> bool:
            socket.send("3")
            return ping.done()

        await wait_until(is_pinged, "a ping comes all the same")
        assert ping.result() == "2"


async def test_monitoring_can_be_switched_off() -> None:
    """Then pings go on, and a silent session stays."""
    async with (
        serve(
            ping_interval=20 * MS, ping_timeout=20 * MS, monitor_clients=False
        ) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        for _ in range(5):
            assert await socket.text() == "2"
        assert not served.ended


async def test_a_client_kept_waiting_by_us_is_spared() -> None:
    """While a slow handler keeps us from reading, no pong can be missed."""
    release = asyncio.Event()
    async with serve(
        ping_interval=30 * MS, ping_timeout=30 * MS, max_in_flight=1
    ) as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            await release.wait()

        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            socket.send("4work")
            assert await socket.text() == "2"
            socket.send("3")
            (session,) = served.eio.sockets.values()
            spared = served.eio.engine.context.heartbeat.spared_timeouts
            await wait_until(lambda: spared.get(session), "a timeout was spared")
            release.set()
            assert await socket.text() == "2"
            assert not served.ended


async def test_a_long_message_excuses_its_sender() -> None:
    """A pong behind an image that is still arriving is not missed; it has an end."""
    async with (
        serve(ping_interval=30 * MS, ping_timeout=40 * MS) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        frame = client_frame("4" + "x" * 1_000)
        socket.writer.write(frame[:500])
        assert await socket.text() == "2"
        (session,) = served.eio.sockets.values()
        spared = served.eio.engine.context.heartbeat.spared_timeouts
        await wait_until(lambda: spared.get(session), "a timeout was spared")
        socket.writer.write(frame[500:])
        socket.send("3")
        await wait_until(lambda: served.messages, "the message is handled")
        assert not served.ended
        socket.writer.write(frame[:500])
        await wait_until(lambda: served.ended, "a dribbler is not waited for")


async def test_a_long_answer_excuses_who_reads_it() -> None:
    """The ping is behind it; a client that stops reading is gone."""
    async with (
        serve(ping_interval=30 * MS, ping_timeout=1_000 * MS) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        (sid,) = served.eio.sockets
        served.eio.write(sid, "x" * LONG)
        await outlasts_pings(served, sid, socket.reader)
        await wait_until(lambda: served.ended, "the end is told")
        assert served.reasons(sid) == [Reason.PING_TIMEOUT]


async def test_a_long_answer_to_a_poll_excuses_too() -> None:
    """The ping waits for the next poll, which comes when this one is read."""
    async with serve(ping_interval=30 * MS, ping_timeout=1_000 * MS) as served:
        sid = await served.open_polling()
        served.eio.write(sid, "x" * LONG)
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        try:
            writer.write(f"GET {served.path('polling', sid)} HTTP/1.1\r\n".encode())
            writer.write(b"Host: a\r\n\r\n")
            await outlasts_pings(served, sid, reader)
            await wait_until(lambda: served.ended, "the end is told")
            assert served.reasons(sid) == [Reason.PING_TIMEOUT]
        finally:
            writer.close()


async def outlasts_pings(
    served: Served, sid: str, reader: asyncio.StreamReader
) -> None:
    """Read a part of a long answer, slowly enough for some pings to time out."""
    session = served.eio.sockets[sid]
    due = served.eio.engine.context.heartbeat.pinged.due
    await wait_until(lambda: due(session), "the ping is sent")
    for _ in range(3):
        before = due(session)
        await reader.readexactly(LONG // 10)
        await wait_until(lambda before=before: due(session) != before, "time is over")
        assert not session.closed
