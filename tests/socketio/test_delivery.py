"""Everybody in a room sees the same, once and in one order, whichever the node."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from tests.kit.members import Member, all_see, member, members
from tests.kit.nodes import Node
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.store_fixtures import said
from tests.kit.waiting import wait_until


async def talk(who: Member, count: int, room: str = "42") -> list[str]:
    """Send texts one after the other; return them in the order of the acks."""
    texts = [f"{who.user}-{number}" for number in range(count)]
    for text in texts:
        await who.send(text, room)
    return texts


async def test_everybody_sees_every_message_once_in_one_order(
    nodes: list[Node],
) -> None:
    """Three talk at once, six listen; the log's order is everybody's order."""
    async with members(nodes, "abcdef", "42") as everybody:
        told = await asyncio.gather(*(talk(who, 30) for who in everybody[:3]))
        first = everybody[0]
        await wait_until(lambda: len(first.texts()) >= 90, "the first sees all")
        await all_see(everybody, first.texts())
        for texts in told:
            # An ack came before the next send: that order is the room's as well.
            assert [text for text in first.texts() if text in texts] == texts
        numbers = [message["message"] for message in first.seen["42"]]
        assert numbers == list(range(1, 91))


async def test_rooms_do_not_mix(nodes: list[Node]) -> None:
    """Who is in one room sees nothing of another."""
    async with (
        member(nodes[0], "ann", "1", "2") as ann,
        member(nodes[-1], "bob", "2", "3") as bob,
        member(nodes[0], "cid", "3", "1") as cid,
    ):
        await asyncio.gather(talk(ann, 10, "1"), talk(bob, 10, "2"), talk(cid, 10, "3"))
        for room, who, users in (
            ("1", "ann", (ann, cid)),
            ("2", "bob", (ann, bob)),
            ("3", "cid", (bob, cid)),
        ):
            await all_see(users, [f"{who}-{n}" for n in range(10)], room)
        assert set(ann.seen) == {"1", "2"}


@ONE_VALKEY
async def test_a_node_hears_only_the_rooms_it_has_sessions_in(
    three: list[Node], redis_client: Redis
) -> None:
    """One of a hundred rooms: one room's traffic, as Redis counts it."""
    rooms = [f"r{number}" for number in range(100)]
    async with (
        member(three[0], "ann", *rooms) as ann,
        member(three[1], "bob", "r7") as bob,
    ):
        counts = dict(
            await redis_client.pubsub_numsub(*(f"chatroom-{r}" for r in rooms))
        )
        assert sum(counts.values()) == 101
        assert counts["chatroom-r7"] == 2
        clients: Any = await redis_client.client_list("pubsub")
        # Besides its rooms each node listens to the channel that all share,
        # and to its own.
        assert sorted(int(each["sub"]) for each in clients) == [2, 3, 102]
        before = await sent_bytes(redis_client)
        await asyncio.gather(*(ann.send("x" * 1000, room) for room in rooms))
        await wait_until(lambda: all(ann.seen[room] for room in rooms), "ann sees all")
        await wait_until(lambda: bob.seen["r7"], "bob sees his")
        after = await sent_bytes(redis_client)
        silent, one, hundred = sorted(after[each] - before[each] for each in after)
        assert hundred > 100_000
        assert 1000 < one < 3000
        assert silent < 500


async def sent_bytes(redis_client: Redis) -> dict[str, int]:
    """Return the bytes that Redis sent to each subscriber, by client id."""
    clients: Any = await redis_client.client_list("pubsub")
    return {each["id"]: int(each["tot-net-out"]) for each in clients}


async def test_a_room_without_sessions_is_given_up(
    nodes: list[Node], redis_client: Redis
) -> None:
    """After the last leave or the last disconnect no node listens any more."""

    async def channels() -> list[str]:
        found: Any = await redis_client.pubsub_channels("chatroom-*")
        return list(found)

    async def nobody() -> bool:
        return not await channels()

    async with member(nodes[0], "ann", "42", "43") as ann:
        assert sorted(await channels()) == ["chatroom-42", "chatroom-43"]
        await ann.do("leave", {"room": "42"})
        await ann.do("leave", {"room": "43"})
        await wait_until(nobody, "the rooms are given up")
        await ann.join("42")
        await ann.send("again")
        await all_see([ann], ["again"])
    await wait_until(nobody, "the room is given up")


async def test_a_monitor_reads_one_json_array_a_message(
    nodes: list[Node], redis_client: Redis, channel: PubSub
) -> None:
    """``redis-cli SUBSCRIBE chatroom-42`` shows the room's traffic, readable."""
    async with member(nodes[0], "ann", "42") as ann:
        await said(channel, redis_client)
        await ann.send("안녕 <b>")
        await ann.do("typing", {"room": "42", "on": True})
        lines = await said(channel, redis_client)
    assert [line[0] for line in lines] == ["message", "typing"]
    assert all(len(line) == 2 for line in lines)
    assert lines[0][1]["text"] == "안녕 <b>"
    assert lines[1][1] == {"room": "42", "user": "ann", "on": True}


async def test_events_outside_the_log_reach_everybody(nodes: list[Node]) -> None:
    """Typing, read marks and presence, over the nodes."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        assert await ann.next("presence", user="bob", online=True)
        await bob.do("typing", {"room": "42", "on": True})
        assert await ann.next("typing", user="bob", on=True)
        await ann.send("hello")
        await bob.next("message", text="hello")
        await bob.do("mark_read", {"room": "42", "message": 1})
        assert await ann.next("read", user="bob", lastReadMessage=1)


async def test_the_same_client_id_after_a_reconnect_to_another_node(
    nodes: list[Node],
) -> None:
    """A retry gets the first result; nobody sees the message twice."""
    async with member(nodes[-1], "bob", "42") as bob:
        async with member(nodes[0], "ann", "42") as ann:
            first = await ann.send("hello", client_id="retried")
        async with member(nodes[-1], "ann", "42") as ann:
            again = await ann.send("hello", client_id="retried")
            await ann.send("after")
        assert again == {**first, "duplicate": True}
        await all_see([bob], ["hello", "after"])
