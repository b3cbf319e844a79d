"""A node goes: clients are told, what is under way is finished, in bounded time."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.kit.members import text_of
from tests.kit.metrics import labelled, scrape
from tests.kit.nodes import NAMESPACE, Node, NodeProcess, client, run_nodes, run_process
from tests.kit.raw_chat import handshake, raw_chat
from tests.kit.recording import recording
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until

# Longer than any test: what waits for this does not end by itself.
HANGS_SECONDS = 60_000 * MS


async def ready(url: str) -> tuple[int, list[str]]:
    """Return the status and the reasons of ``/readyz``."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
        return answer.status, (await answer.json()).get("reasons", [])


async def requests_of(node: NodeProcess, count: int) -> bool:
    """Whether so many requests wait for their ack."""
    _, numbers = await scrape(node.url)
    return numbers['chatroom_objects{kind="requests"}'] == count


@asynccontextmanager
async def draining(node: Node) -> AsyncIterator[asyncio.Task[None]]:
    """Drain a node beside the block, and wait for the end of it."""
    going = asyncio.create_task(node.running.drain())
    try:
        yield going
    finally:
        await going


@asynccontextmanager
async def held_up(redis_server: RedisServer) -> AsyncIterator[NodeProcess]:
    """Run a node that a request which Redis holds up keeps, on the slowest machine."""
    async with run_process(
        *("--redis-url", redis_server.url),
        CHATROOM_DRAIN_SECONDS=f"{HANGS_SECONDS}",
        CHATROOM_REDIS_TIMEOUT_SECONDS=f"{HANGS_SECONDS}",
        CHATROOM_REDIS_SILENCE_SECONDS=f"{HANGS_SECONDS}",
    ) as node:
        yield node


async def test_a_second_interrupt_ends_it_at_once(redis_server: RedisServer) -> None:
    """Whoever presses Ctrl-C again does not want to wait for what hangs."""
    async with (
        held_up(redis_server) as node,
        recording(node, "ann") as ann,
    ):
        redis_server.pause()
        await ann.sio.emit("rooms", namespace=NAMESPACE, callback=print)
        await wait_until(lambda: requests_of(node, 1), "it is under way")
        node.interrupt()
        await ann.next("closing")
        node.interrupt()
        assert await node.ended() == -signal.SIGINT, node.output


async def test_sigterm(redis_server: RedisServer) -> None:
    """Balancers and clients are told at once; what clients still send is taken."""
    told: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
    async with (
        held_up(redis_server) as node,
        client(node, "ann") as ann,
    ):
        ann.on("closing", told.set_result, NAMESPACE)
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        redis_server.pause()
        try:
            waiting = asyncio.create_task(ann.call("rooms", namespace=NAMESPACE))
            await wait_until(lambda: requests_of(node, 1), "it is under way")
            node.terminate()
            closing = await told
            assert closing["reason"] == "drain"
            assert 0 <= closing["retryAfter"] < 1000
            status, reasons = await ready(node.url)
            assert status == 503
            assert "The node is going down." in reasons
            last = asyncio.create_task(
                ann.call("send", text_of("the last word"), namespace=NAMESPACE)
            )
            await wait_until(lambda: requests_of(node, 2), "the other as well")
        finally:
            redis_server.resume()
        assert (await waiting)["ok"]
        assert (await last)["ok"]
        await wait_until(lambda: not ann.connected, "the connection is closed")
        assert await node.ended() == 0
        assert "Drained 1 sessions" in node.output


async def test_clients_do_not_come_back_all_at_once(redis_url: str) -> None:
    """Each is told a time of its own, and the more there are the further apart."""
    async with run_nodes(1, redis_url) as (node,), AsyncExitStack() as stack:
        crowd = [
            await stack.enter_async_context(recording(node, f"u{number}"))
            for number in range(50)
        ]
        async with draining(node):
            told = [(await each.next("closing"))["retryAfter"] for each in crowd]
        assert len(set(told)) > 10
        assert all(0 <= after <= 100 for after in told)


async def test_a_send_in_progress_is_acknowledged(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stays until the answer is out, however long Redis takes."""
    monkeypatch.setattr("realtime.node.shutdown.GRACE_SECONDS", 0)
    async with (
        run_nodes(1, redis_server.url) as (node,),
        recording(node, "ann") as ann,
    ):
        await ann.do("join", {"room": "42"})
        redis_server.pause()
        try:
            sending = asyncio.create_task(ann.do("send", text_of("in progress")))
            await wait_until(lambda: under_way(node), "the send is under way")
            async with draining(node):
                await ann.next("closing")
                assert not sending.done()
                redis_server.resume()
                assert (await sending)["message"] == 1
        finally:
            redis_server.resume()
        await wait_until(lambda: not ann.sio.connected, "the connection is closed")


async def test_nothing_holds_a_node_up(redis_server: RedisServer) -> None:
    """Neither a request that hangs nor a client that does not answer its farewell."""
    async with (
        run_nodes(
            1,
            redis_server.url,
            drain_seconds=1_000 * MS,
            redis_timeout_seconds=HANGS_SECONDS,
            redis_silence_seconds=HANGS_SECONDS,
        ) as (node,),
        raw_chat(node, {"user": "ann"}) as ann,
        raw_chat(node),
    ):
        assert (await ann.ask('["join",{"room":"42"}]'))["ok"]
        redis_server.pause()
        try:
            await ann.send('42/chat,2["rooms"]')
            await wait_until(lambda: under_way(node), "the request is under way")
            async with draining(node) as going:
                await wait_until(going.done, "the node lets go")
            assert not node.parts.server.eio.sockets
        finally:
            redis_server.resume()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_nobody_is_let_in_any_more(
    redis_server: RedisServer, transport: str
) -> None:
    """A handshake is sent elsewhere; who was on the way in is told to go."""
    async with (
        run_nodes(
            1,
            redis_server.url,
            drain_seconds=HANGS_SECONDS,
            redis_timeout_seconds=HANGS_SECONDS,
            redis_silence_seconds=HANGS_SECONDS,
        ) as (node,),
        recording(node, "ann") as ann,
        raw_chat(node) as late,
    ):
        await ann.do("join", {"room": "42"})
        redis_server.pause()
        try:
            asking = asyncio.create_task(ann.ask("rooms"))
            await wait_until(lambda: under_way(node), "the node is busy")
            async with draining(node):
                await ann.next("closing")
                assert await handshake(node, transport) == (503, "1")
                assert "sid" in await late.connect({"user": "late"})
                redis_server.resume()
                assert (await asking)["ok"]
                told = await late.frame('42/chat,["closing"')
                assert '"reason":"drain"' in told
                await late.closed()
        finally:
            redis_server.resume()


def under_way(node: Node) -> int:
    """Return how many requests wait for their answer."""
    return labelled(node, "chatroom_objects")["requests"]
