"""Order, bounds and ends of work: handlers, sessions, and the whole application."""

import asyncio
import gc
import weakref
from typing import Any

import pytest
from aiohttp import ClientSession, web

from realtime.engineio.server import EngineServer
from realtime.engineio.session import Session
from realtime.socketio.server import ChatroomServer
from tests.kit.raw_socket import CONTINUATION, PONG, client_frame, raw_socket
from tests.kit.serving import running, serve, serve_socketio
from tests.kit.waiting import MS, wait_until


async def test_handlers_of_a_session_are_bounded() -> None:
    """At the bound nothing more is read; order holds, and all are handled."""
    begun: list[str] = []
    release = asyncio.Event()
    async with serve(max_in_flight=3) as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            begun.append(data)
            await release.wait()

        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            socket.writer.write(b"".join(client_frame(f"4n{n}") for n in range(50)))
            await wait_until(lambda: len(begun) == 3, "the first are handled")
            (session,) = served.eio.sockets.values()
            assert session.paused
            assert begun == ["n0", "n1", "n2"]
            assert served.limits_met == {"requests_under_way": 1}
            release.set()
            await wait_until(lambda: len(begun) == 50, "all are handled")
            assert begun == [f"n{n}" for n in range(50)]
            assert not session.paused


async def test_a_post_waits_for_handlers_too() -> None:
    """Backpressure over polling: the POST is answered when there is room."""
    begun: list[str] = []
    release = asyncio.Event()
    async with serve(max_in_flight=2) as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            begun.append(data)
            await release.wait()

        sid = await served.open_polling()
        post = asyncio.create_task(served.post(sid, "4a\x1e4b\x1e4c"))
        await wait_until(lambda: len(begun) == 2, "two are handled")
        assert not post.done()
        release.set()
        assert await post == (200, "ok")
        await wait_until(lambda: begun == ["a", "b", "c"], "the third is handled")


async def test_handlers_one_by_one() -> None:
    """With async_handlers=False the next message waits for the one before."""
    log: list[str] = []
    eio = EngineServer(async_handlers=False)
    app = web.Application()
    eio.attach(app)

    @eio.on("message")
    async def message(sid: str, data: str) -> None:
        log.append("begin " + data)
        await asyncio.sleep(0)
        log.append("end " + data)

    path = "/engine.io/?EIO=4&transport=websocket"
    async with running(app) as port, raw_socket(port, path) as socket:
        await socket.text()
        socket.writer.write(client_frame("4a") + client_frame("4b"))
        await wait_until(lambda: len(log) == 4, "both are handled")
        assert log == ["begin a", "end a", "begin b", "end b"]


async def test_failing_handlers_are_logged_once_and_harmless(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The session goes on, and so does the server."""
    async with serve() as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            if data == "bad":
                raise RuntimeError("broken")
            served.eio.write(sid, data)

        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            socket.send("4bad")
            socket.send("4good")
            assert await socket.text() == "4good"
    assert len(caplog.records) == 1


async def test_json_messages_are_decoded() -> None:
    """As python-engineio does; numbers and what is no JSON stay text."""
    async with (
        serve(echo=False) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        for text in ('{"a":1}', "[1]", "12", "plain", '"q"'):
            socket.send("4" + text)
        await wait_until(lambda: len(served.messages) == 5, "all came")
        assert served.messages == [{"a": 1}, [1], "12", "plain", "q"]
        (sid,) = served.eio.sockets
        await served.eio.send(sid, {"b": [2]})
        assert await socket.text() == '4{"b":[2]}'
        async with served.eio.session(sid) as session:
            session["name"] = "me"
        assert (await served.eio.get_session(sid))["name"] == "me"


async def test_disconnect_handlers_of_older_applications() -> None:
    """A handler that takes the sid alone is called with it."""
    gone: list[str] = []
    async with serve() as served:
        served.eio.on("disconnect", lambda sid: gone.append(sid))
        sid = await served.open_polling()
        await served.eio.disconnect(sid)
        await wait_until(lambda: gone == [sid], "it is called")


async def test_shutting_the_application_down_closes_sessions() -> None:
    """Clients get a close frame with 1001 or a close packet; handlers finish."""
    ended: list[str] = []
    eio = EngineServer(close_timeout=200 * MS)
    app = web.Application()
    eio.attach(app)

    @eio.on("disconnect")
    async def disconnect(sid: str, reason: str) -> None:
        await asyncio.sleep(0)
        ended.append(reason)

    path = "/engine.io/?EIO=4&transport="
    runner = web.AppRunner(app, shutdown_timeout=1_000 * MS)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as http, raw_socket(port, path + "websocket") as socket:
        await socket.text()
        url = f"http://127.0.0.1:{port}{path}polling"
        async with http.get(url) as response:
            sid = (await response.text()).split('"sid":"')[1].split('"')[0]
        poll = asyncio.create_task(http.get(f"{url}&sid={sid}"))
        polling = eio.sockets[sid].polling
        await wait_until(lambda: polling is not None and polling.poll_active, "polls")
        await runner.cleanup()
        assert ended == ["server disconnect"] * 2
        assert await socket.close_code() == 1001
        assert await (await poll).text() == "1"
    assert not eio.sockets


async def test_no_session_is_opened_while_shutting_down() -> None:
    """A handshake that comes too late gets 503."""
    async with serve() as served:
        await served.eio.shutdown()
        async with served.http.get(served.url()) as response:
            assert response.status == 503


@pytest.mark.parametrize("how", ["client", "server", "reset"])
async def test_nothing_stays_of_a_session(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ends, its objects are freed, without the garbage collector."""
    server = ChatroomServer(async_mode="aiohttp", close_timeout=50 * MS)

    def objects() -> int:
        return sum(isinstance(each, Session) for each in gc.get_objects())

    transports: list[weakref.ref[Any]] = []
    connection_made = web.RequestHandler.connection_made

    def noted(handler: web.RequestHandler, transport: asyncio.BaseTransport) -> None:
        transports.append(weakref.ref(transport))
        connection_made(handler, transport)

    monkeypatch.setattr(web.RequestHandler, "connection_made", noted)
    async with serve_socketio(server) as port:
        path = "/socket.io/?EIO=4&transport=websocket"
        # What earlier tests left must not go in the middle of the count.
        gc.collect()
        gc.disable()
        before = objects()
        try:
            for _ in range(5):
                async with raw_socket(port, path) as socket:
                    await socket.text()
                    socket.send("40")
                    await socket.text()
                    socket.send('421["unknown"]')
                    (session,) = server.eio.sockets.values()
                    if how == "server":
                        server.eio.close(session.sid)
                    elif how == "reset":
                        socket.writer.transport.abort()
                    del session
                await wait_until(lambda: not server.environ, "the end is handled")
            await wait_until(lambda: objects() == before, "the objects are freed")
            await wait_until(
                lambda: not any(each() for each in transports), "and the transports"
            )
            assert len(transports) == 5
        finally:
            gc.enable()
        assert not server.manager.rooms
        await wait_until(lambda: not server.eio.engine.tasks, "and the tasks")
        assert len(server.eio.engine.timers) == 0


async def test_a_client_over_its_pace_is_read_slowly_and_completely() -> None:
    """Backpressure, not refusal: whatever kind of packet it is, all of it is read."""
    heard: list[str] = []
    async with serve(message_rate=(200.0, 20)) as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            heard.append(data)

        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            frames = [client_frame(f"4n{n}") for n in range(50)]
            socket.writer.write(b"".join(client_frame("6") + each for each in frames))
            (session,) = served.eio.sockets.values()
            await wait_until(lambda: session.paused, "it has to wait")
            assert len(heard) < 50
            await wait_until(lambda: len(heard) == 50, "all is read")
            assert heard == [f"n{n}" for n in range(50)]
            assert served.eio.engine.limited["rate_messages"] > 0


@pytest.mark.parametrize(
    "frame",
    [client_frame("", CONTINUATION, fin=False), client_frame("", PONG)],
    ids=["fragments", "pongs"],
)
async def test_frames_that_say_nothing_have_a_pace_too(frame: bytes) -> None:
    """Thousands of empty ones in one segment are not worked off in one go."""
    async with (
        serve(message_rate=(1_000.0, 20)) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        (session,) = served.eio.sockets.values()
        socket.writer.write(client_frame("4a", fin=False) + frame * 100)
        socket.writer.write(client_frame("b", CONTINUATION))
        await wait_until(lambda: session.paused, "it has to wait")
        assert not served.messages
        await wait_until(lambda: served.messages == ["ab"], "all is read")
        assert served.eio.engine.limited["rate_messages"] > 0


async def test_a_closing_connection_has_no_more_than_its_burst() -> None:
    """What comes instead of the answer to a close is not read for long."""
    async with (
        serve(message_rate=(20.0, 20)) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        served.eio.close(*served.eio.sockets)
        assert await socket.close_code() == 1000
        socket.writer.write(client_frame("", PONG) * 100)
        assert await socket.ended()
        assert served.limits_met == {"rate_messages": 1}


async def test_who_was_slowed_down_is_read_faster_step_by_step() -> None:
    """One message after the rest, and one more at a time for each that goes well."""
    begun: list[str] = []
    may_end = asyncio.Semaphore(0)
    async with serve(max_in_flight=3) as served:

        @served.eio.on("message")
        async def message(sid: str, data: str) -> None:
            begun.append(data)
            await may_end.acquire()

        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            (session,) = served.eio.sockets.values()
            session.slow_down(50 * MS)
            assert session.paused
            socket.writer.write(b"".join(client_frame(f"4n{n}") for n in range(9)))
            # One, then two together, then three together, and no more than that.
            for handled in (1, 3, 5, 6):
                await wait_until(lambda n=handled: len(begun) >= n, "more is handled")
                assert len(begun) == handled
                assert session.paused
                may_end.release()
            for _ in range(9):
                may_end.release()
            await wait_until(lambda: len(begun) == 9, "and then all")
            assert not session.paused
