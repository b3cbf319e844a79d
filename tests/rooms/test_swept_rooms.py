"""Rooms that a sweep goes round, as if three members were thousands."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.socketio.fan_out import FanOut
from tests.kit.members import Member, all_see, members
from tests.kit.nodes import Node, run_nodes
from tests.kit.waiting import wait_until


@pytest.fixture
async def swept(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Node]]:
    """Two nodes that serve one session of a room in each turn of the loop."""
    defaults = FanOut.__init__.__kwdefaults__ or {}
    monkeypatch.setitem(defaults, "block_members", 1)
    monkeypatch.setitem(defaults, "chunk_seconds", 0.0)
    async with run_nodes(2, redis_url) as nodes:
        yield nodes


async def talk(who: Member, count: int) -> None:
    """Send texts one after the other."""
    for number in range(count):
        await who.send(f"{who.user} {number}")


async def test_all_see_all_in_one_order(swept: list[Node]) -> None:
    """However many are on their way round at once."""
    async with members(swept, "abcdef", "42") as everybody:
        await asyncio.gather(*(talk(who, 20) for who in everybody))
        first = everybody[0]
        await wait_until(lambda: len(first.texts()) >= 120, "the first sees all")
        await all_see(everybody, first.texts())


async def test_who_is_put_out_learns_of_it_by_the_event(swept: list[Node]) -> None:
    """They get what was on its way before, and nothing behind it."""
    async with members(swept, ["ann", "bob", "cid"], "42") as (ann, bob, cid):
        sending = [ann.send(f"before {number}") for number in range(10)]
        kick = ann.ask("member_remove", {"room": "42", "user": "bob"})
        later = [ann.send(f"after {number}") for number in range(10)]
        await asyncio.gather(*sending, kick, *later)
        await bob.next("membership_ended")
        await wait_until(lambda: len(cid.texts()) == 20, "the others see all")
        told = [each for each in bob.timeline if "offset" in each[1]]
        names = [name for name, _ in told]
        assert names == ["message"] * (len(told) - 1) + ["member_left"]
        offsets = [payload["offset"] for _, payload in told]
        assert offsets == list(range(offsets[0], offsets[0] + len(offsets)))
