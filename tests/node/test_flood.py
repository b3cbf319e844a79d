"""Somebody who asks for too much: answered, slowed down, and nobody else's trouble."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from handlers import connecting
from realtime.node.settings import Settings
from tests.kit.members import member, text_of
from tests.kit.metrics import limits_met
from tests.kit.nodes import run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.recording import recording
from tests.kit.waiting import MS, wait_until


async def test_who_goes_on_against_refusals_is_read_slowly(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request is answered, with when to come again; the others do not wait."""
    monkeypatch.setattr(connecting, "PENALTY_SECONDS", 100 * MS)
    async with (
        run_nodes(1, redis_url, rates="typing=0.1/2, refusals=1/3") as (node,),
        recording(node, "mallory") as mallory,
        member(node, "ann", "42") as ann,
    ):
        await mallory.do("join", {"room": "42"})
        typing = {"room": "42", "on": True}
        asked = [mallory.ask("typing", typing) for _ in range(12)]
        answers = await asyncio.gather(*asked, ann.do("send", text_of("calm")))
        refused = [each for each in answers[:-1] if not each["ok"]]
        assert len(refused) >= 8
        for each in refused:
            assert each["error"]["code"] == "rate_limited"
            assert each["error"]["retryAfter"] > 0
        limits = limits_met(node)
        assert limits["rate_event"] == len(refused)
        assert limits["rate_refusals"] > 0
        await mallory.do("send", text_of("what is allowed goes on"))


async def test_many_connections_are_one_user(redis_url: str) -> None:
    """A second connection, or a sync of many rooms, is no way around."""
    async with (
        run_nodes(1, redis_url, rates="user_requests=0.1/9") as (node,),
        recording(node, "ann") as first,
        recording(node, "ann") as second,
        recording(node, "bob") as bob,
    ):
        rooms = {"rooms": [{"room": str(number)} for number in range(16)]}
        await first.do("sync", rooms)
        await second.do("join", {"room": "42"})
        error = await second.refused("sync", rooms)
        assert error["code"] == "rate_limited"
        assert error["retryAfter"] > 0
        assert limits_met(node) == {"rate_user_requests": 1}
        await bob.do("sync", rooms)


async def test_who_comes_back_with_many_rooms_on_many_devices_does_not_wait(
    redis_url: str,
) -> None:
    """Their rooms are read and their messages sent, with the limits that are set."""
    async with (
        run_nodes(1, redis_url, rates=Settings().rates) as (node,),
        AsyncExitStack() as stack,
    ):
        devices = [
            await stack.enter_async_context(recording(node, "ann")) for _ in range(3)
        ]
        for start in (0, 200):
            rooms = [{"room": str(number)} for number in range(start, start + 200)]
            for device in devices:
                answers = (await device.do("sync", {"rooms": rooms}))["rooms"]
                assert all(each["ok"] for each in answers)
        await devices[0].do("send", text_of("recovered", "399"))
        assert not limits_met(node)


async def test_who_connects_again_and_again_is_told_late(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal that came at once would only be asked for again at once."""
    monkeypatch.setattr(connecting, "PENALTY_SECONDS", 1_000 * MS)
    async with run_nodes(1, redis_url, rates="connect=0.1/2") as (node,):
        for _ in range(2):
            async with raw_chat(node, {"user": "mallory"}):
                pass
        async with raw_chat(node) as third, raw_chat(node) as other:
            refused = asyncio.create_task(third.connect({"user": "mallory"}))
            assert "sid" in await other.connect({"user": "ann"})
            await wait_until(lambda: limits_met(node), "it is refused")
            assert not refused.done()
            answer = await refused
            assert answer["data"]["code"] == "rate_limited"
            assert answer["data"]["retryAfter"] > 0
        assert limits_met(node) == {"rate_connect": 1}


async def test_payloads_that_are_wrong_wear_patience_out(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To find out that something is invalid is work as well."""
    monkeypatch.setattr(connecting, "PENALTY_SECONDS", 10 * MS)
    async with (
        run_nodes(1, redis_url, rates="refusals=1/2") as (node,),
        raw_chat(node, {"user": "mallory"}) as mallory,
    ):
        for asked in ('["send",5]', '["shout"]', '["join"]', '["typing",{}]'):
            assert not (await mallory.ask(asked))["ok"]
        assert limits_met(node)["rate_refusals"] > 0
        assert (await mallory.ask('["join",{"room":"42"}]'))["ok"]


async def test_events_that_do_not_exist_count_as_well(redis_url: str) -> None:
    """Whoever makes names up gets no more of the node than who uses it."""
    async with (
        run_nodes(1, redis_url, rates="connection=0.1/3") as (node,),
        recording(node, "eve") as eve,
    ):
        errors = [await eve.refused(f"made-up-{number}") for number in range(5)]
    codes = [each["code"] for each in errors]
    assert codes == [*["unknown_event"] * 3, *["rate_limited"] * 2]
