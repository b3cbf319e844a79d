"""From polling to WebSocket, by the protocol's section "Upgrade"."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from realtime.engineio import closing
from tests.kit.raw_socket import CLOSE, RawSocket, raw_socket
from tests.kit.serving import Served, serve
from tests.kit.waiting import MS, wait_until


async def probed(socket: RawSocket) -> None:
    """Send the probe and wait for its answer."""
    socket.send("2probe")
    assert await socket.text() == "3probe"


async def test_upgrade_releases_the_poll_and_goes_on() -> None:
    """A waiting poll gets a noop; afterwards messages go over the WebSocket."""
    async with serve() as served:
        sid = await served.open_polling()
        poll = asyncio.create_task(served.poll(sid))
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            await probed(socket)
            assert await poll == (200, "6")
            assert await served.poll(sid) == (200, "6")
            assert served.eio.transport(sid) == "polling"
            socket.send("5")
            socket.send("4hello")
            assert await socket.text() == "4hello"
            assert served.eio.transport(sid) == "websocket"
            assert (await served.poll(sid))[0] == 400
            assert (await served.post(sid, "4x"))[0] == 400
            assert not served.ended


async def test_what_waited_for_a_poll_goes_over_the_websocket_first() -> None:
    """Messages sent during the upgrade arrive once, and in order."""
    async with serve() as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            await probed(socket)
            served.eio.write(sid, "one")
            served.eio.write(sid, b"\x01")
            socket.send("5")
            await wait_until(
                lambda: served.eio.transport(sid) == "websocket", "the upgrade"
            )
            served.eio.write(sid, "three")
            assert [(await socket.frame()).payload for _ in range(3)] == [
                b"4one",
                b"\x01",
                b"4three",
            ]


async def test_a_second_websocket_is_closed() -> None:
    """One during the upgrade, one after it: accepted and closed, the first lives."""
    async with serve() as served:
        sid = await served.open_polling()
        path = served.path("websocket", sid)
        async with raw_socket(served.port, path) as first:
            async with raw_socket(served.port, path) as second:
                assert (await second.frame()).opcode == CLOSE
            await probed(first)
            first.send("5")
            first.send("4a")
            assert await first.text() == "4a"
            async with raw_socket(served.port, path) as third:
                assert (await third.frame()).opcode == CLOSE
            first.send("4b")
            assert await first.text() == "4b"


@asynccontextmanager
async def busy(served: Served, sid: str) -> AsyncIterator[list[str]]:
    """Hold a session that polls, by a handler, until the block ends."""
    handled: list[str] = []
    release = asyncio.Event()

    @served.eio.on("message")
    async def message(sid: str, data: str) -> None:
        handled.append(data)
        await release.wait()

    assert (await served.post(sid, "4slow"))[0] == 200
    assert served.eio.sockets[sid].paused
    yield handled
    release.set()


async def test_a_busy_session_is_upgraded() -> None:
    """However long a handler takes, and what comes behind the upgrade waits for it."""
    async with serve(max_in_flight=1) as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            async with busy(served, sid) as handled:
                await probed(socket)
                socket.send("5")
                socket.send("4next")
                await wait_until(
                    lambda: served.eio.transport(sid) == "websocket", "the upgrade"
                )
                served.eio.write(sid, "meanwhile")
                assert await socket.text() == "4meanwhile"
                assert handled == ["slow"]
            await wait_until(lambda: handled == ["slow", "next"], "the next is handled")
        await wait_until(lambda: served.ended, "the end is told")
        assert not served.eio.sockets


async def test_an_upgrade_has_few_packets() -> None:
    """Who sends probes without an end is sent away, also while the session is busy."""
    async with serve(max_in_flight=1, message_rate=(20, 20)) as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            async with busy(served, sid):
                for _ in range(21):
                    socket.send("2probe")
                for _ in range(20):
                    assert await socket.text() == "3probe"
                assert await socket.close_code() == 1002
            assert served.limits_met["rate_messages"] == 1
        served.eio.write(sid, "still here")
        assert await served.poll(sid) == (200, "4still here")


async def test_no_crowd_of_closing_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who never answers a close is cut off before its time when others come."""
    monkeypatch.setattr(closing, "CLOSING_CONNECTIONS", 3)
    async with serve() as served, AsyncExitStack() as stack:
        path = served.path("websocket", await served.open_polling())
        first = await stack.enter_async_context(raw_socket(served.port, path))
        await probed(first)
        refused = []
        for _ in range(5):
            socket = await stack.enter_async_context(raw_socket(served.port, path))
            assert await socket.close_code() == 1000
            refused.append(socket)
        for socket in refused[:2]:
            assert await socket.ended()
        assert served.eio.engine.held()["engine_closing"] == 3
        first.send("5")
        first.send("4still here")
        assert await first.text() == "4still here"


async def polls_on(served: Served, sid: str) -> None:
    """Assert that a session goes on polling."""
    session = served.eio.sockets[sid]
    await wait_until(lambda: not session.is_upgrading, "the upgrade is given up")
    assert (await served.post(sid, "4still here"))[0] == 200
    assert await served.poll(sid) == (200, "4still here")


@pytest.mark.parametrize("packet", ["5", "4early", "3probe", "2", b"\x01", "6"])
async def test_a_websocket_that_does_not_probe(packet: str | bytes) -> None:
    """What is not the probe closes the WebSocket; polling goes on."""
    async with serve() as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            socket.send(packet, 1 if isinstance(packet, str) else 2)
            assert await socket.close_code() == 1002
        await polls_on(served, sid)


async def test_a_websocket_that_goes_away() -> None:
    """The client may lose it and go on polling."""
    async with serve() as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            await probed(socket)
        await polls_on(served, sid)


async def test_an_upgrade_has_a_deadline() -> None:
    """A WebSocket that never completes it is closed; polling goes on."""
    async with serve(upgrade_timeout=500 * MS) as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            await probed(socket)
            assert (await socket.frame()).opcode == CLOSE
        await polls_on(served, sid)


async def test_upgrades_can_be_switched_off() -> None:
    """Then none is offered, and one that is tried is closed."""
    async with serve(allow_upgrades=False) as served:
        async with served.http.get(served.url()) as response:
            assert '"upgrades":[]' in await response.text()
        (sid,) = served.eio.sockets
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            assert (await socket.frame()).opcode == CLOSE


async def test_closing_in_mid_upgrade_closes_both() -> None:
    """The session's end ends the WebSocket that was to become its transport."""
    async with serve() as served:
        sid = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket", sid)) as socket:
            await probed(socket)
            served.eio.close(sid)
            assert (await socket.frame()).opcode == CLOSE
        await wait_until(lambda: len(served.ended) == 1, "the end is told once")
