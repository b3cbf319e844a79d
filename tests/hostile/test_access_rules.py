"""Who is no member of a room learns nothing of it: a test a rule.

The gate is ``handlers/access.py``: `send` and `typing` are for sessions that attend,
`history` and `mark_read` for members. Becoming a member is open to everybody who may
connect (``docs/protocol.md``, `join`), and it is seen by all who are there.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas.catalog import BROADCASTS, REQUESTS, Access
from tests.hostile.board import GUESSED, ROOM, SECRET_TEXT, activity
from tests.kit.members import Member, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import RawChat, raw_chat


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


@pytest.mark.parametrize("event", sorted(GUESSED))
async def test_what_members_may_is_denied_to_others(
    nodes: list[Node], board: list[Member], event: str
) -> None:
    """Refused at every node, in the words of a room that does not exist."""
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
    """A stranger asks for each one above, or its test is below."""
    of_rooms = {
        name for name, each in REQUESTS.items() if "room" in each.payload.fields
    }
    assert of_rooms == set(GUESSED) | {"join", "leave", "quit", "room_create"}
    gated = {
        name for name, each in REQUESTS.items() if each.access is not Access.ANYONE
    }
    assert gated <= set(GUESSED)


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
        parts = nodes[0].parts
        ids = [
            *parts.server.eio.sockets,
            *(each.sid for each in nodes[0].services.sessions),
        ]
        ann = [one for one in ids if one not in heard]
        assert len(ann) == len(ids)
