"""What an application's connect and disconnect handlers may be and do."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from socketio.exceptions import ConnectionRefusedError as RefusedError

from realtime.socketio.server import ChatroomServer
from tests.kit.raw_socket import RawSocket, raw_socket
from tests.kit.serving import serve_socketio
from tests.kit.waiting import wait_until

PATH = "/socket.io/?EIO=4&transport=websocket"
Handler = Callable[..., Any]


@asynccontextmanager
async def connecting(
    handlers: dict[str, Handler], connect: str = "40", **settings: Any
) -> AsyncIterator[tuple[ChatroomServer, RawSocket]]:
    """Run a server with handlers; a client has asked to connect."""
    server = ChatroomServer(async_mode="aiohttp", **settings)
    for event, handler in handlers.items():
        server.on(event, handler)
    async with serve_socketio(server) as port, raw_socket(port, PATH) as socket:
        assert (await socket.text())[0] == "0"
        socket.send(connect)
        yield server, socket


def told(frame: str) -> Any:
    """Return what a packet tells."""
    return json.loads(frame[2:])


def plain_refusal(*_arguments: object) -> None:
    """Refuse as Python programs do."""
    raise ConnectionRefusedError("a secret")


def fails(*_arguments: object) -> None:
    """Have a bug."""
    raise RuntimeError("a secret")


def refuses(*_arguments: object) -> bool:
    """Refuse without words."""
    return False


@pytest.mark.parametrize("handler", [plain_refusal, fails, refuses])
async def test_whoever_is_not_let_in_is_told_and_nothing_else(handler: Handler) -> None:
    """A reason that was not meant for the client does not reach it."""
    async with connecting({"connect": handler}) as (server, socket):
        frame = await socket.text()
        assert frame.startswith("44")
        assert "secret" not in frame
        assert told(frame)["message"]
        await wait_until(lambda: not server.manager.rooms, "nothing is kept")


async def test_a_handler_that_knows_no_authentication_is_called_without() -> None:
    """Older applications take the sid and the environment alone."""
    seen: list[str] = []

    def connect(sid: str, environ: dict[str, Any]) -> None:
        seen.append(environ["QUERY_STRING"])

    async with connecting({"connect": connect}) as (_server, socket):
        assert "sid" in told(await socket.text())
    assert seen == ["EIO=4&transport=websocket"]


async def test_a_type_error_of_the_handler_s_own_is_shown_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is no question of arguments, and the log says where it was."""

    def connect(sid: str, environ: object, auth: object) -> None:
        raise TypeError("of its own")

    async with connecting({"connect": connect}) as (_server, socket):
        assert (await socket.text()).startswith("44")
    assert "of its own" in caplog.text


async def test_who_is_let_in_before_they_are_asked_for_is_put_out() -> None:
    """``always_connect``: the handler may emit while it thinks; a no is a farewell."""

    async def connect(sid: str, environ: object, auth: object) -> None:
        await server.emit("early", to=sid)
        if auth is None:
            raise RefusedError("nobody", 7)

    server = ChatroomServer(async_mode="aiohttp", always_connect=True)
    server.on("connect", connect)
    async with serve_socketio(server) as port, raw_socket(port, PATH) as socket:
        await socket.text()
        socket.send("40")
        assert "sid" in told(await socket.text())
        assert await socket.text() == '42["early"]'
        farewell = await socket.text()
        assert farewell.startswith("41")
        await wait_until(lambda: not server.manager.rooms, "nothing is kept")
        socket.send('40{"token":1}')
        assert "sid" in told(await socket.text())
        assert await socket.text() == '42["early"]'


async def test_a_failing_disconnect_handler_keeps_no_session(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged, and the session is forgotten all the same."""
    async with connecting({"disconnect": fails}) as (server, socket):
        await socket.text()
        socket.send("41")
        await wait_until(lambda: not server.manager.rooms, "nothing is kept")
        assert "disconnect handler" in caplog.text


async def test_a_failing_event_handler_costs_its_own_ack_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged with its event; the connection goes on, in whatever order."""
    for at_once in (True, False):
        caplog.clear()
        handlers: dict[str, Handler] = {"bad": fails, "good": lambda _sid: "yes"}
        async with connecting(handlers, async_handlers=at_once) as (_server, socket):
            await socket.text()
            socket.send('421["bad"]')
            socket.send('422["good"]')
            assert await socket.text() == '432["yes"]'
        assert "a secret" in caplog.text
