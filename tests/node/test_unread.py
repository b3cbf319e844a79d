"""Answers that nobody takes: they have an end, and do not hold a node up."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from realtime.addresses import Addresses
from realtime.engineio.attempts import Budget
from realtime.engineio.held_bytes import HeldBytes
from realtime.node import unread
from realtime.node.connection_limit import HttpDoors
from realtime.node.unread import UnreadWatch
from tests.kit.metrics import scrape
from tests.kit.nodes import run_process
from tests.kit.waiting import MS, wait_until

# More than two sockets' buffers hold.
LARGE = b"x" * 20_000_000


class Site:
    """A server whose connections are watched."""

    def __init__(self) -> None:
        self.cut_off = 0
        self.watch = UnreadWatch(self._count)
        self.port = 0
        self.asked: list[asyncio.Transport] = []

    def _count(self) -> None:
        self.cut_off += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Site"]:
        """Serve one large answer until the block ends."""

        async def large(request: web.Request) -> web.Response:
            assert request.transport is not None
            self.asked.append(request.transport)
            return web.Response(body=LARGE)

        app = web.Application()
        app.router.add_get("/", large)
        runner = web.AppRunner(app, shutdown_timeout=100 * MS)
        await runner.setup()
        assert runner.server is not None
        HttpDoors(
            Addresses().peer_name,
            at_most=100,
            refused=lambda: None,
            held=HeldBytes(Counter()),
            arrivals=Budget(None),
            unread=self.watch,
        ).guard(runner.server)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        watching = asyncio.create_task(self.watch.run())
        try:
            yield self
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await runner.cleanup()


async def ask(port: int, path: str = "/") -> asyncio.StreamWriter:
    """Ask and do not read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readline()
    return writer


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they would wait; whoever reads, slowly or not, gets it all."""
    monkeypatch.setattr(unread, "LOOK_SECONDS", 50 * MS)
    monkeypatch.setattr(unread, "STRANGERS_BYTES", 10 * len(LARGE))
    monkeypatch.setattr(unread, "STALL_SECONDS", 500 * MS)
    async with Site().running() as site:
        silent = await ask(site.port)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < len(LARGE):
            got += len(await reader.read(300_000))
            await asyncio.sleep(10 * MS)
        writer.close()
        await wait_until(lambda: site.cut_off == 1, "the silent one is cut off")
        await wait_until(lambda: not len(site.watch), "and nothing is left")
        silent.close()


async def test_an_answer_has_an_end_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes a byte now and then does not hold a connection for ever."""
    monkeypatch.setattr(unread, "LOOK_SECONDS", 50 * MS)
    monkeypatch.setattr(unread, "STRANGERS_BYTES", 10 * len(LARGE))
    monkeypatch.setattr(unread, "ANSWER_SECONDS", 1_000 * MS)
    async with Site().running() as site:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.port, limit=1024
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

        async def trickle() -> bool:
            with suppress(ConnectionError):
                await reader.read(20_000)
            return bool(site.cut_off)

        await wait_until(trickle, "it is cut off")
        writer.close()


async def test_strangers_answers_are_bounded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who takes nothing for the longest time goes first; users do not count."""
    async with Site().running() as site:
        user = await ask(site.port)
        (known,) = site.asked
        site.watch.note_known(known)
        strangers = [await ask(site.port) for _ in range(3)]
        now = asyncio.get_running_loop().time()
        site.watch.look(known, now - 10)
        for age, each in enumerate(site.asked[1:]):
            site.watch.look(each, now - age)
        sizes = [each.get_write_buffer_size() for each in site.asked[1:]]
        # It is the third whose last byte was taken first.
        monkeypatch.setattr(unread, "STRANGERS_BYTES", sum(sizes[:2]))
        for _ in range(2):
            site.watch.cut_off_strangers()
            await wait_until(lambda: len(site.watch) == 3, "one is cut off")
        assert [each.is_closing() for each in site.asked] == [False, False, False, True]
        assert site.cut_off == 1
        for writer in (user, *strangers):
            writer.close()


async def test_nobody_who_does_not_read_holds_a_node_up(
    redis_url: str, tmp_path: Path
) -> None:
    """A stop takes a second or two, with ever so many answers on their way."""
    assets = tmp_path / "assets"
    assets.mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (assets / "large.bin").write_bytes(LARGE)
    async with run_process(
        "--redis-url", redis_url, CHATROOM_PAGE_DIR=str(tmp_path)
    ) as node:
        silent = [await ask(node.port, "/assets/large.bin") for _ in range(5)]
        _, numbers = await scrape(node.url)
        assert numbers['chatroom_limited_total{limit="answer_seconds"}'] == 0
        began = time.monotonic()
        node.terminate()
        assert await node.ended() == 0, node.output
        assert time.monotonic() - began < 5_000 * MS
        assert "Traceback" not in node.output
        for each in silent:
            each.close()
