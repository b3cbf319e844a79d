"""Who is nobody yet: what they ask for is paced, and so are packets over polls."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from realtime.addresses import Addresses
from realtime.engineio.admission import Admission
from realtime.engineio.attempts import Attempts
from realtime.engineio.options import Options
from realtime.socketio.server import ChatroomServer
from tests.kit.raw_socket import RawSocket, raw_socket
from tests.kit.serving import serve
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"
GOOD = '40{"token":"good"}'


@asynccontextmanager
async def running(rate: tuple[float, int]) -> AsyncIterator[tuple[ChatroomServer, int]]:
    """Serve whoever has the good token; yield the server and its port."""
    server = ChatroomServer(async_mode="aiohttp", attempt_rate=rate)

    async def connect(_sid: str, _environ: object, auth: object) -> bool:
        return auth == {"token": "good"}

    server.on("connect", connect)
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=100 * MS, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield server, runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_bad_tokens_cost_no_more_than_their_share() -> None:
    """However many connections send them: the rate is of all together."""
    async with running((20.0, 15)) as (server, port), AsyncExitStack() as stack:
        began = asyncio.get_running_loop().time()
        sockets = [
            await stack.enter_async_context(raw_socket(port, WEBSOCKET))
            for _ in range(10)
        ]

        async def insist(socket: RawSocket) -> None:
            await socket.text()
            for _ in range(3):
                socket.send('40{"token":"bad"}')
                assert (await socket.text()).startswith("44")

        async with asyncio.timeout(DEADLINE_SECONDS):
            await asyncio.gather(*map(insist, sockets))
        # Ten handshakes with one CONNECT each, and twenty CONNECTs more: fifteen at
        # once, the others by the rate.
        assert asyncio.get_running_loop().time() - began > 15 / 20 * 0.99
        assert server.eio.engine.limited["attempts"] > 0
        assert server.held()["attempts_waiting"] == 0


async def test_who_is_let_in_takes_nothing_from_others() -> None:
    """Thousands who come at once after a node died are not held to the rate."""
    async with running((0.001, 3)) as (server, port):
        for _ in range(20):
            async with raw_socket(port, WEBSOCKET) as socket:
                await socket.text()
                socket.send(GOOD)
                assert (await socket.text()).startswith("40{")
        assert not server.eio.engine.limited["attempts"]


async def test_addresses_take_turns() -> None:
    """One that makes ever so many attempts is no hindrance to another."""
    attempts = Attempts((100.0, 1), Counter())
    order: list[str] = []

    async def come(name: str) -> None:
        assert await attempts.enter(name)
        order.append(name)

    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*map(come, ["many"] * 10 + ["one"]))
    assert "one" in order[:4]
    assert len(attempts) == 0


async def test_other_requests_of_strangers_take_turns_as_well() -> None:
    """What is refused is work, too; a user's own polls wait for nobody."""
    async with running((0.001, 2)) as (server, port), aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{port}{POLLING}"

        async def ask(method: str, path: str = "", **more: Any) -> str:
            async with http.request(method, f"{url}{path}", **more) as answer:
                return await answer.text()

        sid = (await ask("GET")).partition('"sid":"')[2].partition('"')[0]
        assert await ask("POST", f"&sid={sid}", data=GOOD) == "ok"
        assert (await ask("GET", f"&sid={sid}")).startswith("40{")
        for _ in range(50):
            assert await ask("POST", f"&sid={sid}", data='42["x"]') == "ok"
        limited = server.eio.engine.limited
        assert not limited["attempts"]
        for _ in range(2):
            await ask("OPTIONS")
            await ask("GET", "&sid=unknown")
            await ask("GET", "&sid=unknown&j=0")
            await ask("POST")
        assert not limited["attempts"], "what it took to be let in was given back"
        waiting = [asyncio.create_task(ask("OPTIONS")) for _ in range(5)]
        await wait_until(lambda: limited["attempts"], "one has to wait")
        assert await ask("POST", f"&sid={sid}", data='42["x"]') == "ok"
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_where_somebody_was_let_in_nobody_waits_behind_strangers() -> None:
    """However many of them do, from wherever: a line of one's own is short."""
    addresses = Addresses()
    options = Options(attempt_rate=(0.001, 1))
    admission = Admission(options, addresses, Counter())
    home, stranger = addresses.find("198.51.100.7"), addresses.find("203.0.113.9")
    assert await admission.line_of(stranger).enter(stranger.name)
    waiting = asyncio.create_task(admission.line_of(home).enter(home.name))
    await wait_until(lambda: admission.waiting, "behind strangers it waits")
    addresses.note_known(home)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await admission.line_of(home).enter(home.name)
    assert admission.line_of(addresses.find("203.0.113.10")) is not admission.line_of(
        home
    )
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    proxy = addresses.find("127.0.0.1")
    addresses.note_known(proxy)
    assert not addresses.is_known(proxy), "everybody may come through it"


async def test_nobody_needs_many_packets_to_be_let_in() -> None:
    """A stranger's pongs and other packets that ask for nothing end its connection."""
    async with running((100.0, 100)) as (_server, port):
        async with raw_socket(port, WEBSOCKET) as socket:
            await socket.text()
            for _ in range(150):
                socket.send("3")
            assert await socket.close_code() == 1002
        async with raw_socket(port, WEBSOCKET) as socket:
            await socket.text()
            socket.send(GOOD)
            assert (await socket.text()).startswith("40{")
            for _ in range(150):
                socket.send("3")
            socket.send("41")
            socket.send(GOOD)
            assert (await socket.text()).startswith("40{")


async def test_packets_over_polls_are_paced() -> None:
    """As those over a WebSocket, also those that ask for nothing; none is lost."""
    async with serve(message_rate=(1_000.0, 20)) as served:
        sid = await served.open_polling()
        began = asyncio.get_running_loop().time()
        body = "\x1e".join(["3"] * 519 + ["4last"])
        assert await served.post(sid, body) == (200, "ok")
        # Some more may pass with each wait of 50 ms.
        assert asyncio.get_running_loop().time() - began > 300 * MS
        assert served.messages == ["last"]
        assert served.eio.engine.limited["rate_messages"] > 0
