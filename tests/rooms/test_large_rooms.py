"""Large rooms: counts instead of names, and read marks for oneself only."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import RecordingClient, recording

ROOM = {"room": "42"}


@pytest.fixture
async def node(redis_url: str) -> AsyncIterator[Node]:
    """A node where three are a crowd."""
    async with run_nodes(1, redis_url, announce_members=2) as (node,):
        yield node


@pytest.fixture
async def crowd(node: Node) -> AsyncIterator[list[RecordingClient]]:
    """Ann, Bob and Cid, who joined one after the other."""
    async with AsyncExitStack() as stack:
        clients = []
        for user in ("ann", "bob", "cid"):
            client = await stack.enter_async_context(recording(node, user))
            await client.do("join", ROOM)
            clients.append(client)
        yield clients


async def test_the_ack_of_join_has_counts(
    node: Node, crowd: list[RecordingClient]
) -> None:
    """Lists that would be long are null; the counts are always there."""
    # A large room's count may be a second old: this one is known to be settled.
    await crowd[0].next("presence", onlineCount=3)
    async with recording(node, "dan") as dan:
        ack = await dan.do("join", ROOM)
    assert (ack["reads"], ack["online"]) == (None, None)
    assert (ack["onlineCount"], ack["memberCount"]) == (4, 4)


async def test_presence_is_a_count(crowd: list[RecordingClient]) -> None:
    """Who is already here is told how many are, not who came."""
    ann, bob, _cid = crowd
    assert (await ann.next("presence", user="bob"))["online"]
    for client in (ann, bob):
        told = await client.next("presence", onlineCount=3)
        assert told == {"room": "42", "onlineCount": 3}


async def test_read_marks_go_to_ones_own_sessions(
    node: Node, crowd: list[RecordingClient]
) -> None:
    """The user's other devices follow; nobody else is bothered."""
    ann, bob, _cid = crowd
    message = {**ROOM, "clientId": "1", "type": "text", "text": "hi"}
    await ann.do("send", message)
    async with recording(node, "bob") as phone:
        await phone.do("join", ROOM)
        await bob.do("mark_read", {**ROOM, "message": 1})
        told = await phone.next("read", user="bob")
        assert told["lastReadMessage"] == 1
    # A later broadcast to everybody: had there been another one, it would be here.
    await bob.do("typing", {**ROOM, "on": True})
    await ann.next("typing")
    assert not [payload for event, payload in ann.kept if event == "read"]


async def test_members_are_counted_over_nodes(redis_url: str) -> None:
    """However they came or went, and at whichever node; the last count always."""
    async with (
        run_nodes(2, redis_url, announce_members=2) as nodes,
        recording(nodes[0], "ann") as ann,
        recording(nodes[1], "bob") as bob,
        recording(nodes[1], "cid") as cid,
    ):
        for client in (ann, bob, cid):
            await client.do("join", ROOM)
        for client in (ann, bob, cid):
            told = await client.next("member_count")
            assert told == {"room": "42", "memberCount": 3}
        await ann.do("members_add", {**ROOM, "users": ["dan", "eve"]})
        await bob.next("member_count", memberCount=5)
        await ann.do("member_remove", {**ROOM, "user": "dan"})
        await bob.next("member_count", memberCount=4)
        await cid.do("quit", ROOM)
        await ann.next("member_count", memberCount=3)
        assert (await bob.do("join", ROOM))["memberCount"] == 3
