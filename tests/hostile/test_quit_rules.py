"""Who quits a room is out: at every node, on every device, whatever is under way."""

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.store.room_snapshot import RoomSnapshot, RoomSnapshots
from tests.hostile.board import GUESSED, ROOM, activity
from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node
from tests.kit.waiting import DEADLINE_SECONDS, wait_until


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
        _words_of_quits(nodes[2], monkeypatch)
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
    carry_out = nodes[0].services.quitting.heard
    async with member(nodes[0], "cleo", ROOM) as cleo:
        words = _words_of_quits(nodes[0], monkeypatch)
        await cleo.do("quit", {"room": ROOM})
        await cleo.join(ROOM)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await carry_out(await words.get())
        assert _attends(nodes[0], "cleo")
        await cleo.do("typing", {"room": ROOM, "on": True})


@pytest.mark.usefixtures("board")
async def test_who_joins_again_before_the_word_of_their_quit_finds_the_room(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that attends joins anew: a member again, with the room on their list."""
    carry_out = nodes[1].services.quitting.heard
    async with (
        member(nodes[0], "cleo", ROOM) as phone,
        member(nodes[1], "cleo", ROOM) as desk,
    ):
        words = _words_of_quits(nodes[1], monkeypatch)
        await phone.do("quit", {"room": ROOM})
        assert (await desk.join(ROOM))["ok"]
        async with asyncio.timeout(DEADLINE_SECONDS):
            await carry_out(await words.get())
        await desk.send("I am a member", ROOM)
        assert [each["room"] for each in (await desk.do("rooms"))["rooms"]] == [ROOM]


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize("heard_by", ["word", "gap"])
async def test_a_join_on_the_heels_of_the_question_who_quit_counts(
    nodes: list[Node], monkeypatch: pytest.MonkeyPatch, heard_by: str
) -> None:
    """Redis answers that they quit, and admits them again right after."""
    services = nodes[1].services
    ask = "is_member"
    asked, sent, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
    if heard_by == "gap":
        ask = "quit_lately"
        _words_of_quits(nodes[1], monkeypatch)
    read = RoomSnapshots.read
    ask_redis = getattr(services.memberships, ask)

    async def slow_answer(*arguments: str) -> object:
        found = await ask_redis(*arguments)
        asked.set()
        await sent.wait()
        return found

    async def slow_state(snapshots: RoomSnapshots, room: str) -> RoomSnapshot:
        state = read(snapshots, room)
        sent.set()
        await answered.wait()
        return await state

    async with (
        member(nodes[0], "cleo", ROOM) as phone,
        member(nodes[1], "cleo", ROOM) as desk,
        asyncio.timeout(DEADLINE_SECONDS),
    ):
        monkeypatch.setattr(services.memberships, ask, slow_answer)
        await phone.do("quit", {"room": ROOM})
        hearing = asyncio.ensure_future(
            services.quitting.after_gap(f"chatroom-{ROOM}")
            if heard_by == "gap"
            else asked.wait()
        )
        await asked.wait()
        # What is told of the room's state waits for the same, and is let through.
        monkeypatch.setattr(RoomSnapshots, "read", slow_state)
        joining = asyncio.ensure_future(desk.join(ROOM))
        await sent.wait()
        monkeypatch.undo()
        # In turn: the answer came first.
        asyncio.get_running_loop().call_later(0, answered.set)
        assert (await joining)["ok"]
        await hearing
        await desk.send("I am a member", ROOM)
        await desk.next("message", text="I am a member")
        assert not [name for name, _ in desk.kept if name == "membership_ended"]


def _words_of_quits(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Queue[dict[str, Any]]:
    """Keep back what a node hears of quits: it falls into a gap, or comes late."""
    remote = node.parts.remote
    receive, kept = remote.receive, asyncio.Queue[dict[str, Any]]()

    def keep(payload: bytes) -> None:
        message = json.loads(payload)
        if message["method"] == "quit":
            kept.put_nowait(message)
        else:
            receive(payload)

    monkeypatch.setattr(remote, "receive", keep)
    return kept


def _attends(node: Node, user: str) -> bool:
    manager = node.parts.manager
    inside = manager.recipients("/chat", f"chatroom-{ROOM}")
    sessions = node.services.sessions
    return any(each.sid in inside for each in sessions if each.user == user)
