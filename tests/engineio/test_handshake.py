"""Opening sessions, and requests that open none."""

import json
from typing import Any

import pytest

from tests.kit.raw_socket import raw_socket
from tests.kit.serving import UPGRADE, serve
from tests.kit.waiting import wait_until


async def test_polling_handshake_says_what_clients_need() -> None:
    """The open packet has exactly the protocol's five fields."""
    async with serve(ping_interval=25.5, ping_timeout=0.2) as served:
        async with served.http.get(served.url()) as response:
            packet = await response.text()
            assert response.headers["Cache-Control"] == "no-store"
            assert response.content_type == "text/plain"
        assert packet[0] == "0"
        fields = json.loads(packet[1:])
        assert fields.pop("sid") in served.eio.sockets
        assert fields == {
            "upgrades": ["websocket"],
            "pingInterval": 25_500,
            "pingTimeout": 200,
            "maxPayload": 1_000_000,
        }


async def test_websocket_handshake_offers_no_upgrade() -> None:
    """A session that begins on a WebSocket has nothing to upgrade to."""
    async with (
        serve() as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        packet = await socket.text()
        fields = json.loads(packet[1:])
        assert fields["upgrades"] == []
        assert served.eio.transport(fields["sid"]) == "websocket"


async def test_a_grace_is_announced_but_not_waited_for() -> None:
    """A pair as ping_interval: clients are told the sum."""
    async with (
        serve(ping_interval=(0.05, 0.2)) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        fields = json.loads((await socket.text())[1:])
        assert fields["pingInterval"] == 250
        assert await socket.text() == "2"


@pytest.mark.parametrize(
    "query",
    [
        "transport=polling",
        "EIO=3&transport=polling",
        "EIO=abc&transport=polling",
        "EIO=4",
        "EIO=4&transport=carrier-pigeon",
        "EIO=4&transport=websocket",
        "EIO=4&transport=polling&sid=nobody",
        "EIO=4&transport=polling&j=0",
    ],
)
async def test_what_a_request_must_say(query: str) -> None:
    """A request without version or transport, or for an unknown session, gets 400."""
    async with serve() as served:
        url = f"http://127.0.0.1:{served.port}/engine.io/?{query}"
        async with served.http.get(url) as response:
            assert response.status == 400
        assert not served.eio.sockets


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_handshakes_are_get(method: str) -> None:
    """Another method opens no session."""
    async with (
        serve() as served,
        served.http.request(method, served.url()) as response,
    ):
        assert response.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": "short"},
        {"Sec-WebSocket-Key": "!!!"},
        {"Sec-WebSocket-Key": "é" * 11},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
    ],
)
async def test_bad_websocket_handshakes(headers: dict[str, str]) -> None:
    """RFC 6455 4.2.1: what is no WebSocket handshake is answered by 400."""
    async with serve() as served:
        url = served.url("websocket")
        async with served.http.get(url, headers={**UPGRADE, **headers}) as response:
            assert response.status == 400
        assert not served.began


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_refused_client_leaves_nothing(transport: str) -> None:
    """What the connect handler answers is sent with 401, and no end is told."""
    async with serve() as served:

        @served.eio.on("connect")
        async def connect(sid: str, environ: Any) -> object:
            return "not you"

        async with served.http.get(
            served.url(transport), headers=UPGRADE if transport != "polling" else None
        ) as response:
            assert response.status == 401
            assert await response.json() == "not you"
        assert not served.eio.sockets
        assert not served.ended


async def test_a_failing_connect_handler_refuses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception is logged once and the client is refused."""
    async with serve() as served:

        @served.eio.on("connect")
        def connect(sid: str, environ: Any) -> None:
            raise RuntimeError("broken")

        async with served.http.get(served.url()) as response:
            assert response.status == 401
    assert len(caplog.records) == 1


async def test_environ_is_the_first_request() -> None:
    """Handlers see headers, query and peer under python-engineio's names."""
    seen: list[Any] = []
    async with serve() as served:
        served.eio.on("connect", lambda sid, environ: seen.append(dict(environ)))
        async with raw_socket(
            served.port, served.path("websocket") + "&a=b", **{"X-Me": "ü"}
        ) as socket:
            await socket.text()
    environ = seen[0]
    assert environ["HTTP_X_ME"] == "ü"
    assert environ["QUERY_STRING"] == "EIO=4&transport=websocket&a=b"
    assert environ["REQUEST_METHOD"] == "GET"
    assert environ["PATH_INFO"] == "/engine.io/"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["aiohttp.request"].path == "/engine.io/"


async def test_cookie_carries_the_sid() -> None:
    """With a cookie configured, the handshake sets it, also over WebSocket."""
    cookie = {"name": "io", "Path": "/chat", "HttpOnly": True, "Secure": False}
    async with serve(cookie=cookie) as served:
        async with served.http.get(served.url()) as response:
            (sid,) = served.eio.sockets
            said = response.headers["Set-Cookie"]
        assert said == f"io={sid}; Path=/chat; HttpOnly"


async def test_foreign_origins_are_refused() -> None:
    """By default only pages of the server's own origin may connect."""
    async with serve() as served:
        own = f"http://127.0.0.1:{served.port}"
        for origin, status in ((own, 200), ("http://evil.example", 400)):
            async with served.http.get(
                served.url(), headers={"Origin": origin}
            ) as response:
                assert response.status == status
                allowed = response.headers.get("Access-Control-Allow-Origin")
                assert allowed == (origin if status == 200 else None)


async def test_preflight() -> None:
    """A browser's OPTIONS request learns methods, headers and credentials."""
    async with serve(cors_allowed_origins="*") as served:
        headers = {
            "Origin": "http://page.example",
            "Access-Control-Request-Headers": "x-token",
        }
        async with served.http.options(served.url(), headers=headers) as response:
            said = response.headers
            assert said["Access-Control-Allow-Origin"] == "http://page.example"
            assert said["Access-Control-Allow-Methods"] == "OPTIONS, GET, POST"
            assert said["Access-Control-Allow-Headers"] == "x-token"
            assert said["Access-Control-Allow-Credentials"] == "true"


@pytest.mark.parametrize("is_coroutine", [True, False])
async def test_a_disconnect_handler_may_take_the_sid_alone(is_coroutine: bool) -> None:
    """As older applications' handlers do."""
    ended: list[str] = []

    async def coroutine(sid: str) -> None:
        ended.append(sid)

    async with serve() as served:
        served.eio.on("disconnect", coroutine if is_coroutine else ended.append)
        sid = await served.open_polling()
        await served.post(sid, "1")
        await wait_until(lambda: ended == [sid], "the end is told")
