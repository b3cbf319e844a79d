"""Connections on their way in: they wait in turns, and who has left is not served."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from realtime.engineio.attempts import Budget
from realtime.node import arrivals as arrivals_module
from realtime.node.arrivals import Arrivals, ArrivalSite, keep_silent_ones_out
from tests.kit.waiting import wait_until

NAMES = {"127.0.0.1": "", "127.0.0.2": "many", "127.0.0.3": "one"}
ASKED = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Site:
    """A server of one page behind arrivals whose budget the test decides."""

    def __init__(self, budget: Budget) -> None:
        self.limited: Counter[str] = Counter()
        self.budget = budget
        self.served: list[str] = []
        self.arrivals = Arrivals(
            budget=budget, name_of=NAMES.__getitem__, limited=self.limited
        )
        self.port = 0

    async def get(self, request: web.Request) -> web.Response:
        """Note who is served."""
        self.served.append(NAMES[str(request.remote)])
        return web.Response(text="hello")


@asynccontextmanager
async def serving(budget: Budget) -> AsyncIterator[Site]:
    site = Site(budget)
    app = web.Application()
    app.router.add_get("/", site.get)
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    site.port = listener.getsockname()[1]
    await ArrivalSite(runner, listener, site.arrivals).start()
    try:
        yield site
    finally:
        await runner.cleanup()
    assert not len(site.arrivals)


async def connect(site: Site, own: str = "127.0.0.2") -> asyncio.StreamWriter:
    """Connect, and ask."""
    _reader, writer = await asyncio.open_connection(
        "127.0.0.1", site.port, local_addr=(own, 0)
    )
    writer.write(ASKED)
    return writer


async def test_addresses_take_turns() -> None:
    """One that connects ever so often is no hindrance to another."""
    async with serving(Budget((20.0, 1))) as site:
        began = asyncio.get_running_loop().time()
        writers = [await connect(site) for _ in range(10)]
        writers.append(await connect(site, "127.0.0.3"))
        await wait_until(lambda: len(site.served) == len(writers), "all are served")
        assert "one" in site.served[:4]
        assert asyncio.get_running_loop().time() - began > 10 / 20 * 0.99
        assert site.limited["connections"] >= 9
        for each in writers:
            each.close()


async def test_who_has_left_is_not_served() -> None:
    """It costs a look, and takes nothing from those who wait."""
    async with serving(Budget((2.0, 1))) as site:
        first = await connect(site)
        await wait_until(lambda: site.served, "the first is served")
        for _ in range(50):
            leaver = socket.create_connection(("127.0.0.1", site.port))
            leaver.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            leaver.close()
        # Behind fifty it would wait for 25 s.
        last = await connect(site, "127.0.0.1")
        await wait_until(lambda: len(site.served) == 2, "who stays is served")
        first.close()
        last.close()


async def test_too_many_of_an_address_are_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a proxy they are left to the kernel: everybody comes through it."""
    monkeypatch.setattr(arrivals_module, "OWN_WAITING", 3)
    async with serving(Budget((20.0, 1))) as site:
        many = [await connect(site) for _ in range(9)]
        proxied = [await connect(site, "127.0.0.1") for _ in range(9)]
        await wait_until(lambda: site.served.count("") == 9, "none of these is lost")
        await wait_until(lambda: not len(site.arrivals), "nobody waits any more")
        assert site.served.count("many") < len(many)
        for each in (*many, *proxied):
            each.close()


@pytest.mark.skipif(
    not hasattr(socket, "TCP_DEFER_ACCEPT"), reason="Linux alone has this"
)
async def test_who_says_nothing_is_not_taken() -> None:
    """The kernel keeps the connection until its client asks for something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        keep_silent_ones_out(listener)
        with socket.create_connection(listener.getsockname()) as client:
            with pytest.raises(BlockingIOError):
                listener.accept()
            client.sendall(ASKED)

            def taken() -> bool:
                try:
                    made, _ = listener.accept()
                except BlockingIOError:
                    return False
                made.close()
                return True

            await wait_until(taken, "now it is taken")
