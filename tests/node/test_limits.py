"""Every limit has its answer, and ``/metrics`` tells which one was met."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.kit.members import member, text_of
from tests.kit.metrics import limits_met
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import RawChat, handshake, raw_chat
from tests.kit.recording import RecordingClient, recording
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until

HOME = "198.51.100.7"
ELSEWHERE = "203.0.113.9"


@asynccontextmanager
async def crowd(node: Node, *users: str, address: str) -> AsyncIterator[list[RawChat]]:
    """Connect several users from one address."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                raw_chat(node, {"user": user}, address=address)
            )
            for user in users
        ]


async def refusal(node: Node, user: str, address: str = HOME) -> dict[str, Any]:
    """Connect, and return the error object of the refusal; empty if there is none."""
    async with raw_chat(node, address=address) as chat:
        answer = await chat.connect({"user": user})
        found: dict[str, Any] = answer.get("data", {})
        return found


async def test_sessions_of_an_address(redis_url: str) -> None:
    """One too many is told when to come back; other addresses do not pay for it."""
    async with (
        run_nodes(1, redis_url, address_sessions=2) as (node,),
        crowd(node, "ann", address=HOME),
    ):
        async with crowd(node, "bob", address=HOME):
            error = await refusal(node, "cem")
            assert (error["code"], error["temporary"]) == ("rate_limited", True)
            assert error["retryAfter"] > 0
            assert not await refusal(node, "cem", ELSEWHERE)
        await wait_until(lambda: len(node.services.sessions) == 1, "bob has left")
        assert not await refusal(node, "cem")
        assert limits_met(node) == {"address_sessions": 1}


async def test_strangers_of_an_address(redis_url: str) -> None:
    """Without a token nobody holds any number of connections, over any transport."""
    async with (
        run_nodes(1, redis_url, address_unauthenticated=2) as (node,),
        crowd(node, "ann", "bob", "cem", address=HOME),
        raw_chat(node, address=HOME),
        raw_chat(node, address=HOME),
    ):
        for transport in ("polling", "websocket"):
            status, retry_after = await handshake(node, transport, address=HOME)
            assert (status, int(retry_after or 0) > 0) == (429, True)
        assert limits_met(node) == {"address_unauthenticated": 2}
        assert not await refusal(node, "dan", ELSEWHERE)


async def test_strangers_of_a_node(redis_url: str) -> None:
    """However many addresses they come from, they leave room for those who belong."""
    async with (
        run_nodes(1, redis_url, node_unauthenticated=2) as (node,),
        crowd(node, "ann", "bob", "cem", address=HOME),
        raw_chat(node, address=HOME),
    ):
        async with raw_chat(node, address=ELSEWHERE):
            status, retry_after = await handshake(node, "polling", address=HOME)
            assert (status, int(retry_after or 0) > 0) == (503, True)
            assert limits_met(node) == {"node_unauthenticated": 1}
        addresses = node.parts.server.eio.engine.admission.addresses
        await wait_until(lambda: addresses.unauthenticated == 1, "one has left")
        assert not await refusal(node, "dan")


@pytest.mark.parametrize(
    ("setting", "code"),
    [("user_sessions", "rate_limited"), ("node_sessions", "unavailable")],
)
async def test_sessions_of_a_user_and_of_a_node(
    redis_url: str, setting: str, code: str
) -> None:
    """A full place says when to ask again, and has room as soon as somebody left."""
    async with run_nodes(1, redis_url, **{setting: 1}) as (node,):
        async with raw_chat(node, {"user": "ann"}):
            error = await refusal(node, "ann")
            assert (error["code"], error["temporary"]) == (code, True)
            assert error["retryAfter"] > 0
        await wait_until(lambda: not len(node.services.sessions), "ann has left")
        assert not await refusal(node, "ann")
        assert limits_met(node) == {setting: 1}


async def test_rooms_of_a_session(redis_url: str) -> None:
    """Asked one by one or all at once, a session attends no more than it may."""
    async with (
        run_nodes(1, redis_url, session_rooms=3) as (node,),
        recording(node, "ann") as ann,
    ):
        asked = [{"room": str(number)} for number in range(5)]
        answers = (await ann.do("sync", {"rooms": asked}))["rooms"]
        assert [each["ok"] for each in answers].count(True) == 3
        refused = [each["error"]["code"] for each in answers if not each["ok"]]
        assert refused == ["too_large", "too_large"]
        assert (await ann.refused("join", {"room": "9"}))["code"] == "too_large"
        joined = next(each["room"] for each in answers if each["ok"])
        await ann.do("join", {"room": joined})
        await ann.do("leave", {"room": joined})
        await ann.do("join", {"room": "9"})
        assert limits_met(node) == {"session_rooms": 3}


@pytest.mark.parametrize(
    ("rates", "limit"),
    [
        ("typing=1/3", "rate_event"),
        ("connection=1/4", "rate_connection"),
    ],
)
async def test_requests_of_a_connection(redis_url: str, rates: str, limit: str) -> None:
    """Who asks too often is told how long to wait, and is served after it."""
    async with (
        run_nodes(1, redis_url, rates=rates) as (node,),
        recording(node, "ann") as ann,
    ):
        await ann.do("join", {"room": "42"})
        typing = {"room": "42", "on": True}
        for _ in range(3):
            await ann.do("typing", typing)
        error = await _refused_at_last(ann, "typing", typing)
        assert (error["code"], error["temporary"]) == ("rate_limited", True)
        assert 0 < error["retryAfter"] <= 1000
        assert limits_met(node) == {limit: 1}
        await _insist(ann, "typing", typing)


async def test_messages_of_a_user_over_all_nodes(redis_url: str) -> None:
    """Another node does not give a user another allowance."""
    async with (
        run_nodes(2, redis_url, rates="user=2/8") as nodes,
        member(nodes[0], "ann", "42") as here,
        member(nodes[1], "ann", "42") as there,
        member(nodes[1], "bob", "42") as bob,
    ):
        for number in range(8):
            await here.do("send", text_of(str(number)))
        error = await _refused_at_last(here, "send", text_of("one too many"))
        assert (error["code"], error["temporary"]) == ("rate_limited", True)

        async def limited_there() -> bool:
            return not (await there.ask("send", text_of("elsewhere")))["ok"]

        await wait_until(limited_there, "the other node knows")
        assert limits_met(nodes[1]).keys() == {"rate_user"}
        await bob.do("send", text_of("bob may"))
        await _insist(here, "send", text_of("at last"))


async def _refused_at_last(
    client: RecordingClient, event: str, payload: object
) -> dict[str, Any]:
    """Ask until it is refused: a slow machine gives a bucket time to fill."""
    while (answer := await client.ask(event, payload))["ok"]:
        continue
    found: dict[str, Any] = answer["error"]
    return found


async def _insist(client: RecordingClient, event: str, payload: object) -> None:
    """Ask until it is done, as often as the server says."""
    while not (answer := await client.ask(event, payload))["ok"]:
        await asyncio.sleep(answer["error"]["retryAfter"] * MS)


async def test_calls_of_redis_under_way(redis_server: RedisServer) -> None:
    """While Redis hangs, what is too much is refused at once: nothing was stored."""
    patient: Any = dict.fromkeys(
        ("redis_timeout_seconds", "redis_silence_seconds"), 60_000 * MS
    )
    async with (
        run_nodes(1, redis_server.url, redis_calls=20, **patient) as (node,),
        member(node, "ann", "42") as ann,
    ):
        redis_server.pause()
        try:
            sends = [ann.ask("send", text_of(str(number))) for number in range(40)]
            answering = asyncio.gather(*sends)
            await wait_until(
                lambda: limits_met(node).get("redis_calls"), "one is refused"
            )
        finally:
            redis_server.resume()
        answers = await answering
        codes = [each["error"]["code"] for each in answers if not each["ok"]]
        assert "unavailable" in codes
        assert limits_met(node)["redis_calls"] == codes.count("unavailable")


async def test_bytes_of_a_packet(redis_url: str) -> None:
    """One that is larger than what was announced ends its own connection only."""
    async with (
        run_nodes(1, redis_url, payload_limit_bytes=65_536) as (node,),
        raw_chat(node, {"user": "ann"}) as ann,
        recording(node, "bob") as bob,
    ):
        await ann.send("42/chat,1" + "x" * 70_000)
        await ann.closed()
        assert ann.close_code == 1009
        assert limits_met(node) == {"payload_limit_bytes": 1}
        await bob.do("join", {"room": "42"})
