"""Who is no member of a room learns nothing of it: a test a rule.

The gate is ``handlers/access.py``: `send` and `typing` are for sessions that attend,
`history` and `mark_read` for members. Becoming a member is open to everybody who may
connect (``docs/protocol.md``, `join`), and it is seen by all who are there.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.app import NODE
from schemas.catalog import BROADCASTS, REQUESTS, Access
from tests.hostile.standing import services_of
from tests.members import Member, member, text_of
from tests.nodes import Node, run_nodes
from tests.raw_chat import RawChat, raw_chat
from tests.waiting import DEADLINE_SECONDS, wait_until

ROOM = "the-board"
SECRET_TEXT = "we sell on monday"
MEMBERS = ("ann", "bob")


@pytest.fixture
async def nodes(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> AsyncIterator[list[Node]]:
    """Three nodes; what is denied at one is denied at all."""
    async with run_nodes(3, redis_url) as made:
        yield made


@pytest.fixture
async def board(nodes: list[Node]) -> AsyncIterator[list[Member]]:
    """Ann and Bob in a room, at two nodes, with a message and a read mark."""
    async with (
        member(nodes[0], "ann", ROOM) as ann,
        member(nodes[1], "bob", ROOM) as bob,
    ):
        await ann.send(SECRET_TEXT, ROOM)
        await bob.next("message", text=SECRET_TEXT)
        yield [ann, bob]


class Stranger:
    """A user of no room, connected to each node, whose every frame is kept."""

    def __init__(self, chats: list[RawChat]) -> None:
        self.chats = chats

    async def ask(self, event: str, payload: Any) -> list[dict[str, Any]]:
        """Ask at every node; return the answers."""
        return [await chat.ask(json.dumps([event, payload])) for chat in self.chats]

    async def heard(self) -> list[str]:
        """Return all that arrived but acks, up to this moment."""
        for chat in self.chats:
            assert (await chat.ask('["rooms"]'))["rooms"] == []
        return [frame for chat in self.chats for frame in chat.received]


@asynccontextmanager
async def stranger(nodes: list[Node], user: str = "mallory") -> AsyncIterator[Stranger]:
    async with (
        raw_chat(nodes[0], {"user": user}) as one,
        raw_chat(nodes[1], {"user": user}) as two,
        raw_chat(nodes[2], {"user": user}) as three,
    ):
        yield Stranger([one, two, three])


async def activity(board: list[Member]) -> None:
    """Do everything in the room that is broadcast to it, and wait for it to arrive."""
    ann, bob = board
    sent = await ann.send("and on tuesday", ROOM)
    await bob.next("message", text="and on tuesday")
    await ann.do("typing", {"room": ROOM, "on": True})
    await bob.next("typing", user="ann")
    await bob.do("mark_read", {"room": ROOM, "message": sent["message"]})
    await ann.next("read", user="bob", lastReadMessage=sent["message"])
    await bob.do("leave", {"room": ROOM})
    await ann.next("presence", user="bob", online=False)
    await bob.join(ROOM)
    await ann.next("presence", user="bob", online=True)


GUESSED: dict[str, list[dict[str, Any]]] = {
    "send": [text_of("hello", ROOM), {**text_of("x", ROOM), "replyTo": 1}],
    "typing": [{"room": ROOM, "on": True}],
    "mark_read": [{"room": ROOM, "message": 1}, {"room": ROOM, "message": 2**52}],
    "history": [
        {"room": ROOM},
        {"room": ROOM, "after": 0, "limit": 100},
        {"room": ROOM, "before": 2},
    ],
}


@pytest.mark.parametrize("event", sorted(GUESSED))
async def test_what_members_may_is_denied_to_others(
    nodes: list[Node], board: list[Member], event: str
) -> None:
    """Refused at every node, in the words of a room that does not exist."""
    assert REQUESTS[event].access is not Access.ANYONE
    async with stranger(nodes) as mallory:
        for payload in GUESSED[event]:
            for answer in await mallory.ask(event, payload):
                assert answer["ok"] is False
                assert answer["error"]["code"] in ("forbidden", "not_attending")
                (nowhere, *_) = await mallory.ask(event, {**payload, "room": "nowhere"})
                assert answer == nowhere, "the answer tells that the room exists"
        assert await mallory.heard() == []
    assert board[0].texts(ROOM) == [SECRET_TEXT]


def test_every_event_of_a_room_has_a_rule() -> None:
    """An event with a room is for members or attendants, or its test is below."""
    open_to_all = {
        name
        for name, each in REQUESTS.items()
        if each.access is Access.ANYONE and "room" in each.payload.fields
    }
    assert open_to_all == {"join", "leave", "quit"}
    assert {name for name, each in REQUESTS.items() if each.access is not Access.ANYONE}
    assert set(GUESSED) == {
        name for name, each in REQUESTS.items() if each.access is not Access.ANYONE
    }


@pytest.mark.parametrize("event", ["leave", "quit"])
async def test_the_way_out_tells_a_stranger_nothing(
    nodes: list[Node], board: list[Member], event: str
) -> None:
    """`leave` and `quit` of others' rooms succeed, say nothing, and move nobody."""
    async with stranger(nodes) as mallory:
        for room in (ROOM, "nowhere"):
            assert await mallory.ask(event, {"room": room}) == [{"ok": True}] * 3
        await activity(board)
        assert await mallory.heard() == []
    assert not [each for each in board[0].kept if "mallory" in str(each)]


async def test_a_stranger_hears_nothing_of_a_room(
    nodes: list[Node], board: list[Member]
) -> None:
    """No message, mark, typing or presence reaches a session that never joined."""
    async with stranger(nodes) as mallory:
        await activity(board)
        assert await mallory.heard() == []


async def test_a_room_of_another_name_is_another_room(
    nodes: list[Node], board: list[Member]
) -> None:
    """Names that look like channels, keys, users or sessions open no other door."""
    sid = board[0].sio.get_sid("/chat")
    lookalikes = ("user-ann", sid, f"chatroom-{ROOM}", ROOM.upper(), ROOM[:-1], "null")
    async with raw_chat(nodes[0], {"user": "mallory"}) as chat:
        for room in lookalikes:
            answer = await chat.ask(json.dumps(["join", {"room": room}]))
            assert answer["ok"], answer
            assert answer["online"] == ["mallory"]
            assert answer["events"] == []
        await activity(board)
        await chat.ask('["rooms"]')
        others = [f for f in chat.received if '"mallory"' not in f]
        assert others == []


async def test_marks_of_a_large_room_are_the_user_s_own(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> None:
    """Where `read` goes to a user's own sessions, nobody else's get it."""
    async with (
        run_nodes(2, redis_url, announce_members=1) as nodes,
        member(nodes[0], "ann", ROOM) as ann,
        member(nodes[1], "bob", ROOM) as bob,
        member(nodes[1], "user-bob", ROOM, "user-bob") as other,
        member(nodes[0], "bob") as phone,
    ):
        sent = await ann.send("hi", ROOM)
        await bob.do("mark_read", {"room": ROOM, "message": sent["message"]})
        await phone.next("read", user="bob")
        await ann.send("end", ROOM)
        for each in (ann, other):
            await each.next("message", text="end")
            assert not [p for name, p in each.kept if name == "read"]


async def test_a_cursor_opens_no_other_room(
    nodes: list[Node], board: list[Member]
) -> None:
    """A cursor of one room, stolen or guessed, brings nothing of it to another one."""
    stolen = board[0].cursors[ROOM]
    guesses = [stolen, "0:", "1:AAAAAAAAAAAA", "9007199254740991:x", f"{ROOM}:1"]
    for node in nodes:
        async with raw_chat(node, {"user": "mallory"}) as chat:
            for cursor in guesses:
                one = await chat.ask(
                    json.dumps(["join", {"room": "other", "cursor": cursor}])
                )
                assert one["ok"]
                many = await chat.ask(
                    json.dumps(["sync", {"rooms": [{"room": "x", "cursor": cursor}]}])
                )
                assert SECRET_TEXT not in json.dumps([one, many])
                assert one["events"] == many["rooms"][0]["events"] == []


async def test_rooms_lists_ones_own_only(
    nodes: list[Node], board: list[Member]
) -> None:
    """Neither others' rooms, nor, after `quit`, one's former ones with their text."""
    async with stranger(nodes) as mallory:
        for chat in mallory.chats:
            assert (await chat.ask('["rooms",{}]'))["rooms"] == []
            for bent in ({"user": "ann"}, {"room": ROOM}, {"users": ["ann"]}):
                answer = await chat.ask(json.dumps(["rooms", bent]))
                assert answer["error"]["code"] == "invalid"
    await board[1].do("quit", {"room": ROOM})
    assert (await board[1].do("rooms"))["rooms"] == []


async def test_who_left_hears_no_more_and_may_still_read(
    nodes: list[Node], board: list[Member]
) -> None:
    """`leave` ends what arrives at once; membership, and so `history`, stays."""
    async with member(nodes[2], "cleo", ROOM) as cleo:
        await cleo.do("leave", {"room": ROOM})
        cleo.kept.clear()
        await activity(board)
        assert (await cleo.do("history", {"room": ROOM}))["messages"]
        for event in ("send", "typing"):
            error = await cleo.refused(event, GUESSED[event][0])
            assert error["code"] == "not_attending"
        assert cleo.kept == []


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


INTERNAL_NAMES = (
    *(name for name in BROADCASTS if name not in REQUESTS),
    "emit",
    "callback",
    "enter_room",
    "close_room",
    "leave_room",
    "kick",
    "admin",
    "broadcast",
    "trigger_event",
    "__init__",
    "expire",
    "*",
    "connect",
    "disconnect",
    "connect_error",
    "newListener",
)


@pytest.mark.parametrize("event", INTERNAL_NAMES)
async def test_other_names_open_no_door(
    nodes: list[Node], board: list[Member], event: str
) -> None:
    """Broadcasts' names, the nodes' own words and the library's: all unknown."""
    payload = {"room": ROOM, "user": "ann", "method": "close_room", "sid": "x"}
    async with stranger(nodes) as mallory:
        for answer in await mallory.ask(event, payload):
            assert answer["error"]["code"] == "unknown_event", event
        assert await mallory.heard() == []
    await activity(board)
    assert not [each for each in board[1].kept if "mallory" in str(each)]


async def test_nobody_learns_the_ids_of_others_connections(
    nodes: list[Node], board: list[Member]
) -> None:
    """Who knows an Engine.IO id could post as its owner: it is told to nobody else."""
    async with raw_chat(nodes[0], {"user": "cleo"}) as cleo:
        assert (await cleo.ask(json.dumps(["join", {"room": ROOM}])))["ok"]
        answer = await cleo.ask(json.dumps(["history", {"room": ROOM}]))
        await activity(board)
        rooms = await cleo.ask('["rooms"]')
        heard = json.dumps([answer, rooms, cleo.received])
        parts = nodes[0].app[NODE].parts
        ids = [
            *parts.server.eio.sockets,
            *(each.sid for each in services_of(nodes[0]).sessions),
        ]
        ann = [one for one in ids if one not in heard]
        assert len(ann) == len(ids)
