"""Who is put out of a room hears nothing that was numbered after that, at no node."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from realtime.errors import UnavailableError
from realtime.rooms.recovery import Past, Recovery
from tests.kit.members import Member, member, members
from tests.kit.nodes import Node
from tests.kit.waiting import wait_until

# Sent right behind the kick, all at once.
MESSAGES = 30

KICK = {"room": "42", "user": "bob"}


def heard(who: Member) -> list[str]:
    """Return what somebody was told by events of the log and about their membership."""
    names = [name for name, payload in who.timeline if "offset" in payload]
    return [*names, *(name for name, _ in who.timeline if name == "membership_ended")]


async def is_told(who: Member) -> None:
    """Wait until somebody is told that they are no member."""
    await wait_until(lambda: "membership_ended" in heard(who), f"{who.user} is told")


async def test_what_follows_a_kick_at_once_does_not_reach_them(
    two: list[Node],
) -> None:
    """Not even at a node that has still to ask whether they came back."""
    async with members(two, ["ann", "bob"], "42") as (ann, bob):
        kick = ann.ask("member_remove", KICK)
        sending = [ann.send(f"m{number}") for number in range(MESSAGES)]
        await asyncio.gather(kick, *sending)
        await is_told(bob)
        assert heard(bob) == ["member_left", "membership_ended"]


async def test_a_node_that_was_deaf_reads_the_kick_before_it_tells_more(
    two: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It catches up from the log, where messages follow the kick."""
    async with members(two, ["ann", "bob"], "42") as (ann, bob):
        router = two[1].parts.router
        monkeypatch.setattr(router, "receive", lambda _batch: None)
        router.lost()
        await ann.do("member_remove", KICK)
        for number in range(3):
            await ann.send(f"m{number}")
        monkeypatch.undo()
        router.ready()
        await is_told(bob)
        assert heard(bob) == ["member_left", "membership_ended"]


async def test_who_is_put_out_on_the_way_in_does_not_get_in(
    two: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Admitted before the kick, answered after it: they ask again, and are refused."""
    past = Recovery.past
    async with (
        member(two[0], "ann", "42") as ann,
        member(two[1], "bob", "42") as bob,
        member(two[1], "cho", "42") as cho,
    ):
        cursor = bob.cursors["42"]
        await bob.do("leave", {"room": "42"})

        def late(*given: Any) -> Coroutine[Any, Any, Past]:
            found = past(*given)

            async def read() -> Past:
                await ann.do("member_remove", KICK)
                await ann.send("after")
                await wait_until(lambda: cho.texts() == ["after"], "this node has it")
                return await found

            return read()

        monkeypatch.setattr(Recovery, "past", late)
        error = await bob.refused("join", {"room": "42", "cursor": cursor})
        assert error["code"] == UnavailableError.code
        monkeypatch.undo()
        error = await bob.refused("join", {"room": "42", "cursor": cursor})
        assert error["code"] == "forbidden"
        assert "message" not in heard(bob)


async def test_who_came_back_before_a_node_heard_of_the_kick_stays(
    two: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word of the kick is late; the join was after it."""
    async with (
        member(two[0], "ann", "42") as ann,
        member(two[1], "bob") as bob,
        member(two[1], "cho", "42") as cho,
        member(two[0], "bob", "42"),
    ):
        feeds = two[1].parts.feeds
        kept: list[bytes] = []

        def late(channel: str, event: bytes, *, fits: bool) -> bool:
            kept.append(event)
            return False

        monkeypatch.setattr(feeds, "receive", late)
        await ann.do("member_remove", KICK)
        await wait_until(lambda: kept, "the kick was published")
        joined = await bob.join()
        assert joined["ok"]
        monkeypatch.undo()
        await ann.send("welcome")
        await wait_until(lambda: bob.texts() == ["welcome"], "bob is in")
        assert "membership_ended" not in heard(bob)
        assert cho.texts() == ["welcome"]
