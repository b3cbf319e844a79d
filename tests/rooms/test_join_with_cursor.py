"""Coming back: exactly what was missed, or the newest page; never something between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from redis.asyncio import Redis

from realtime.rooms.recovery import PAGE_MESSAGES
from realtime.rooms.replay_buffer import RECENT_EVENTS
from realtime.store import keys
from tests.kit.members import Member, all_see, member
from tests.kit.nodes import Node
from tests.kit.recording import Payload
from tests.kit.waiting import wait_until
from tests.rooms.unpublished import append_unpublished


@dataclass
class Past:
    """A room with messages, and the cursor after each of them."""

    texts: list[str]
    cursors: list[str]


async def fill(node: Node, count: int, room: str = "42") -> Past:
    """Write messages as ann, who then leaves the node."""
    async with member(node, "ann", room) as ann:
        texts = [f"m{number}" for number in range(1, count + 1)]
        acks = await asyncio.gather(*(ann.send(text, room) for text in texts))
        await all_see([ann], texts, room)
    return Past(texts, ["0:", *(f"{ack['offset']}:{ack['uid']}" for ack in acks)])


@asynccontextmanager
async def back(node: Node, *, warm: bool) -> AsyncIterator[Member]:
    """Connect bob; with ``warm`` somebody else keeps the room in the node's memory."""
    async with member(node, "bob") as bob:
        if warm:
            async with member(node, "cid", "42"):
                yield bob
        else:
            yield bob


def texts_of(answer: Payload) -> list[str]:
    """Return the texts in a join's answer."""
    return [payload["text"] for _, payload in answer["events"]]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("known", [0, 1, 5, 19, 20])
async def test_exactly_the_missed_events(
    nodes: list[Node], known: int, warm: bool
) -> None:
    """From the log, or from the memory of a node that has the room."""
    past = await fill(nodes[0], 20)
    async with back(nodes[-1], warm=warm) as bob:
        if warm:
            async with member(nodes[-1], "dan", "42") as dan:
                past.texts.append("live")
                ack = await dan.send("live")
                past.cursors.append(f"{ack['offset']}:{ack['uid']}")
        answer = await bob.join("42", past.cursors[known])
    assert answer["recovered"]
    assert texts_of(answer) == past.texts[known:]
    assert answer["cursor"] == past.cursors[-1]


async def test_however_much_was_missed(three: list[Node]) -> None:
    """More than a node remembers, and more than one read of the log."""
    past = await fill(three[0], 3 * RECENT_EVENTS)
    for known in (0, 2 * RECENT_EVENTS + 5):
        async with member(three[1], "bob") as bob:
            answer = await bob.join("42", past.cursors[known])
        assert answer["recovered"]
        assert texts_of(answer) == past.texts[known:]


@pytest.mark.parametrize("warm", [False, True])
async def test_the_log_is_read_for_the_room_not_for_each_who_comes_back(
    three: list[Node], redis_client: Redis, warm: bool
) -> None:
    """When a node dies its clients come at once: Redis is not asked for each."""
    past = await fill(three[0], 20)
    async with AsyncExitStack() as stack:
        if warm:
            await stack.enter_async_context(member(three[1], "cid", "42"))
        users = [
            await stack.enter_async_context(member(three[1], f"user-{number}"))
            for number in range(12)
        ]
        await redis_client.config_resetstat()
        answers = await asyncio.gather(*(u.join("42", past.cursors[5]) for u in users))
        stats = await redis_client.info("commandstats")
    for answer in answers:
        assert answer["recovered"]
        assert texts_of(answer) == past.texts[5:]
    # One reading is two of them: the proof, and what came after it.
    assert stats["cmdstat_xrange"]["calls"] <= 4


async def test_without_a_cursor_the_newest_page(nodes: list[Node]) -> None:
    """The last messages, up to the ack's cursor."""
    past = await fill(nodes[0], PAGE_MESSAGES + 10)
    async with member(nodes[-1], "bob") as bob:
        answer = await bob.join("42")
    assert not answer["recovered"]
    assert texts_of(answer) == past.texts[10:]
    assert answer["cursor"] == past.cursors[-1]
    assert (answer["lastMessage"], answer["unread"]) == (PAGE_MESSAGES + 10, 0)


@pytest.mark.parametrize(
    "cursor",
    ["99:beyondTheTop", "3:otherLineage", "malformed", "0:x", "-1:a", "٣:a"],
)
async def test_a_cursor_that_proves_nothing(nodes: list[Node], cursor: str) -> None:
    """Beyond the top, of another history, malformed: the newest page, and told so."""
    past = await fill(nodes[0], 5)
    async with member(nodes[-1], "bob") as bob:
        answer = await bob.ask("join", {"room": "42", "cursor": cursor})
    assert answer["ok"], answer
    assert not answer["recovered"]
    assert texts_of(answer) == past.texts


async def test_a_cursor_of_another_room(nodes: list[Node]) -> None:
    """It has the same offset, but not the same past."""
    other = await fill(nodes[0], 5, "43")
    past = await fill(nodes[0], 5)
    async with member(nodes[-1], "bob") as bob:
        answer = await bob.join("42", other.cursors[3])
    assert not answer["recovered"]
    assert texts_of(answer) == past.texts


async def test_a_trimmed_cursor(nodes: list[Node], redis_client: Redis) -> None:
    """What left the log cannot be told: the newest page, not a part."""
    past = await fill(nodes[0], 10)
    await redis_client.xtrim(keys.log("42"), maxlen=4, approximate=False)
    for cursor in ("0:", past.cursors[5]):
        async with member(nodes[-1], "bob") as bob:
            assert not (await bob.join("42", cursor))["recovered"]
    async with member(nodes[-1], "bob") as bob:
        answer = await bob.join("42", past.cursors[7])
    assert (answer["recovered"], texts_of(answer)) == (True, past.texts[7:])


async def test_an_empty_room(nodes: list[Node]) -> None:
    """Its cursor is ``0:``, and with it nothing was missed."""
    async with member(nodes[0], "ann") as ann, member(nodes[-1], "bob") as bob:
        first = await ann.join()
        assert (first["cursor"], first["events"]) == ("0:", [])
        again = await bob.join("42", "0:")
        assert (again["recovered"], again["events"]) == (True, [])
        await ann.send("first")
        await all_see([ann, bob], ["first"])


async def test_sync_does_it_for_all_rooms_at_once(nodes: list[Node]) -> None:
    """Each room with its own answer, in the order asked; then all are live."""
    pasts = {room: await fill(nodes[0], 6, room) for room in ("a", "b", "c")}
    asked: Sequence[Payload] = [
        {"room": "b", "cursor": pasts["b"].cursors[4]},
        {"room": "a"},
        {"room": "new"},
        {"room": "c", "cursor": pasts["a"].cursors[2]},
    ]
    async with member(nodes[-1], "bob") as bob:
        answers = await bob.sync(*asked)
        assert [each["room"] for each in answers] == ["b", "a", "new", "c"]
        assert [each["recovered"] for each in answers] == [True, False, False, False]
        assert texts_of(answers[0]) == pasts["b"].texts[4:]
        assert texts_of(answers[3]) == pasts["c"].texts
        async with member(nodes[0], "ann", "a", "b", "c", "new") as ann:
            for room in ("a", "b", "c", "new"):
                await ann.send("live", room)
        for room in ("a", "b", "c", "new"):
            await wait_until(lambda room=room: "live" in bob.texts(room), room)


async def test_a_session_that_is_ahead_of_the_node(three: list[Node]) -> None:
    """It saw an event elsewhere that this node has not heard of: the log proves it."""
    past = await fill(three[0], 3)
    async with member(three[1], "cid", "42"), member(three[1], "bob") as bob:
        unheard = await append_unpublished(three[0], "unheard")
        answer = await bob.join("42", unheard)
        assert answer["recovered"], (answer, past)
        assert answer["cursor"] == unheard
