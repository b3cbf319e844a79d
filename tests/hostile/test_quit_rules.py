"""Who quits a room is out: at every node, on every device, whatever is under way."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.app import NODE
from tests.hostile.board import GUESSED, ROOM, activity
from tests.hostile.standing import services_of
from tests.members import Member, member, text_of
from tests.nodes import Node
from tests.waiting import DEADLINE_SECONDS, wait_until


async def test_quit_ends_everything_at_every_node(
    nodes: list[Node], board: list[Member]
) -> None:
    """From the moment of `quit` on: no event, no history, no write, on any device."""
    async with (
        member(nodes[0], "cleo", ROOM) as desk,
        member(nodes[1], "cleo", ROOM) as phone,
        member(nodes[2], "cleo", ROOM) as tablet,
    ):
        devices = (desk, phone, tablet)
        await desk.do("quit", {"room": ROOM})
        # What needs membership is denied before the other nodes have heard of it; the
        # tablet asks for nothing, and is let go all the same.
        error = await phone.refused("history", {"room": ROOM})
        assert error["code"] == "forbidden"
        error = await phone.refused("mark_read", {"room": ROOM, "message": 1})
        assert error["code"] == "forbidden"
        error = await phone.refused("send", text_of("x", ROOM))
        assert error["code"] in ("forbidden", "not_attending")
        await wait_until(
            lambda: not any(_attends(node, "cleo") for node in nodes), "all have left"
        )
        assert await tablet.next("membership_ended") == {"room": ROOM}
        for device in devices:
            # What was on its way to it is there before the answer.
            await device.do("rooms")
            device.kept.clear()
        await activity(board)
        for device in devices:
            assert (await device.do("rooms"))["rooms"] == []
            assert device.kept == []
            for event in sorted(GUESSED):
                error = await device.refused(event, GUESSED[event][0])
                assert error["code"] in ("forbidden", "not_attending")


async def test_a_join_under_way_does_not_survive_quit(
    nodes: list[Node], board: list[Member]
) -> None:
    """Whoever quits while another device joins is either a member or hears nothing."""
    async with member(nodes[0], "cleo") as desk, member(nodes[1], "cleo") as phone:
        for _ in range(10):
            joined, _gone = await asyncio.gather(
                phone.ask("join", {"room": ROOM}), desk.ask("quit", {"room": ROOM})
            )
            await desk.do("quit", {"room": ROOM})
            await wait_until(
                lambda: not _attends(nodes[1], "cleo"), f"phone left: {joined}"
            )


async def test_a_node_that_was_deaf_learns_who_quit(
    nodes: list[Node],
    board: list[Member],
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A `quit` that a node did not hear of counts there when it hears again.

    Who came back since is a member like others, and stays.
    """
    async with (
        member(nodes[0], "cleo", ROOM) as desk,
        member(nodes[2], "cleo", ROOM) as phone,
        member(nodes[0], "dan", ROOM) as dan,
        member(nodes[2], "dan", ROOM),
    ):
        # The word of it falls into a gap of the node's Pub/Sub.
        control = nodes[2].app[NODE].parts.manager.control
        monkeypatch.setitem(control.more, "quit", _nothing)
        for each in (desk, dan):
            await each.do("quit", {"room": ROOM})
        await dan.join(ROOM)
        assert _attends(nodes[2], "cleo")
        await redis_client.client_kill_filter(_type="pubsub")
        await wait_until(lambda: not _attends(nodes[2], "cleo"), "cleo is let go")
        for node, user in ((nodes[0], "ann"), (nodes[1], "bob"), (nodes[2], "dan")):
            assert _attends(node, user)
        assert await phone.next("membership_ended") == {"room": ROOM}
        phone.kept.clear()
        await activity(board)
        await phone.do("rooms")
        assert phone.kept == []


@pytest.mark.usefixtures("board")
async def test_who_comes_back_before_the_word_of_their_quit_stays(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may carry the word of a `quit` later than the next `join`."""
    control = nodes[0].app[NODE].parts.manager.control
    carry_out = control.more["quit"]
    words: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with member(nodes[0], "cleo", ROOM) as cleo:
        monkeypatch.setitem(control.more, "quit", words.put)
        await cleo.do("quit", {"room": ROOM})
        await cleo.join(ROOM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await carry_out(await words.get())
        assert _attends(nodes[0], "cleo")
        await cleo.do("typing", {"room": ROOM, "on": True})


async def _nothing(_message: dict[str, Any]) -> None:
    """Do nothing."""


def _attends(node: Node, user: str) -> bool:
    manager = node.app[NODE].parts.manager
    inside = manager.recipients("/chat", f"chatroom-{ROOM}")
    sessions = services_of(node).sessions
    return any(each.sid in inside for each in sessions if each.user == user)
