"""HTTP connections of one address: silent ones as well as busy ones."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress

import aiohttp
from aiohttp import web

from realtime.addresses import Addresses, parse_networks
from realtime.engineio.attempts import Budget
from realtime.engineio.held_bytes import HeldBytes
from realtime.node.connection_limit import HttpDoors
from realtime.node.unread import UnreadWatch
from tests.kit.waiting import wait_until


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


async def test_one_too_many_is_hung_up_on() -> None:
    """It needs no request for it; who leaves makes room; proxies are not counted."""
    refused: list[None] = []
    names = {"127.0.0.1": "stranger", "127.0.0.2": ""}
    doors = HttpDoors(
        lambda peer: names[peer],
        at_most=3,
        refused=lambda: refused.append(None),
        held=HeldBytes(Counter()),
        arrivals=Budget(None),
        unread=UnreadWatch(lambda: None),
    )
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app)
    async with AsyncExitStack() as stack:
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        assert runner.server is not None
        doors.guard(runner.server)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]

        async def connect(own: str) -> asyncio.StreamReader:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(own, 0)
            )
            stack.callback(writer.close)
            writers.append(writer)
            return reader

        writers: list[asyncio.StreamWriter] = []
        for _ in range(3):
            await connect("127.0.0.1")
        await wait_until(lambda: len(doors) == 3, "three are counted")
        fourth = await connect("127.0.0.1")
        with suppress(ConnectionResetError):
            assert not await fourth.read()
        assert len(refused) == 1
        for _ in range(5):
            await connect("127.0.0.2")
        writers[0].close()
        await wait_until(lambda: len(doors) == 2, "one has left")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}/") as answer,
        ):
            assert await answer.text() == "hello"
    assert len(doors) == 0
    assert len(refused) == 1


def test_whose_a_silent_connection_is() -> None:
    """Trusted proxies have no limit: everybody comes through them."""
    addresses = Addresses(parse_networks("8.8.8.8, 10.0.0.0/8"))
    peers = ("8.8.4.4", "8.8.8.8", "10.1.1.1", "192.168.0.7", "2001:4860::1", "")
    names = [addresses.peer_name(peer) for peer in peers]
    assert names == ["8.8.4.4", "", "", "192.168.0.7", "2001:4860::/64", ""]
