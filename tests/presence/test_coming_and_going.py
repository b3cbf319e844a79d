"""Who is here: over all nodes, by user, and right again after a node died."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.members import Member, member
from tests.kit.nodes import NAMESPACE, Node, NodeProcess, client, run_nodes, run_process
from tests.kit.raw_chat import raw_chat
from tests.kit.redis_server import RedisServer
from tests.kit.spread_redis import ONE_VALKEY
from tests.kit.waiting import MS, wait_until
from verify.final_logs import presence_error

# Short, and longer than a busy machine keeps a living node from renewing it.
LEASE_SECONDS = 2_000 * MS
# So that lists are soon mended.
SHORT_LEASE_SECONDS = 400 * MS
# What is promised of a dead node's sessions, with the default lease of ten seconds.
SWEPT_SECONDS = 15_000 * MS


def changes(who: Member, user: str) -> list[bool]:
    """Return the comings and goings of a user that a member was told of."""
    return [
        payload["online"]
        for event, payload in who.timeline
        if event == "presence" and payload.get("user") == user
    ]


async def test_two_devices_on_two_nodes(nodes: list[Node]) -> None:
    """A user is here from the first session to come to the last one to go."""
    async with member(nodes[0], "bob", "42") as bob:
        async with member(nodes[0], "ann", "42") as phone:
            async with member(nodes[-1], "ann") as laptop:
                answer = await laptop.join()
                assert (answer["online"], answer["onlineCount"]) == (["ann", "bob"], 2)
            await phone.do("typing", {"room": "42", "on": True})
            await bob.next("typing", user="ann")
            assert changes(bob, "ann") == [True]
        await wait_until(lambda: changes(bob, "ann") == [True, False], "ann is gone")


async def test_a_broken_connection_is_a_departure(nodes: list[Node]) -> None:
    """No farewell: the transport just ends."""
    async with (
        member(nodes[0], "bob", "42") as bob,
        raw_chat(nodes[-1], {"user": "ann"}) as ann,
    ):
        assert (await ann.ask('["join",{"room":"42"}]'))["ok"]
        ann.cut()
        await wait_until(lambda: changes(bob, "ann") == [True, False], "ann is gone")


async def test_leaving_and_coming_back_is_told_each_time(nodes: list[Node]) -> None:
    """In order, whatever the node."""
    async with member(nodes[0], "bob", "42") as bob, member(nodes[-1], "ann") as ann:
        for _ in range(3):
            await ann.join()
            await ann.do("leave", {"room": "42"})
        await wait_until(lambda: len(changes(bob, "ann")) >= 6, "each change is told")
        assert changes(bob, "ann") == [True, False] * 3


async def test_a_room_that_everybody_left_is_empty_in_redis(
    nodes: list[Node], redis_client: Redis
) -> None:
    """No session list, no count: nothing that grows over the years."""
    async with member(nodes[0], "ann", "42"), member(nodes[-1], "bob", "42"):
        assert await redis_client.hlen(keys.sessions("42")) == 2

    async def empty() -> bool:
        found = await redis_client.exists(keys.sessions("42"), keys.online("42"))
        return not found

    await wait_until(empty, "the lists are gone")


@pytest.fixture
async def witness(redis_url: str) -> AsyncIterator[Node]:
    """A node that lives, with a short lease."""
    async with run_nodes(1, redis_url, lease_seconds=LEASE_SECONDS) as (node,):
        yield node


@pytest.fixture
async def victim(redis_url: str) -> AsyncIterator[NodeProcess]:
    """A node as a process of its own, with the same lease."""
    async with run_process(
        "--redis-url",
        redis_url,
        CHATROOM_LEASE_SECONDS=str(LEASE_SECONDS),
        CHATROOM_RATES="off",
    ) as process:
        yield process


async def test_a_killed_node_s_sessions_are_gone_in_time(
    redis_url: str, witness: Node, victim: NodeProcess, redis_client: Redis
) -> None:
    """SIGKILL: each departure is announced once, though two nodes sweep."""
    async with (
        run_nodes(1, redis_url, lease_seconds=LEASE_SECONDS),
        member(witness, "bob", "42") as bob,
        member(victim, "ann", "42"),
        member(victim, "cid", "42"),
        member(victim, "bob", "42"),
    ):
        victim.kill()
        await wait_until(
            lambda: changes(bob, "ann")[-1:] + changes(bob, "cid")[-1:] == [False] * 2,
            "both are gone",
            seconds=SWEPT_SECONDS,
        )
        # A later publication: had there been a second announcement, it came before.
        await bob.send("after")
        await bob.next("message", text="after")
        assert changes(bob, "ann") == changes(bob, "cid") == [True, False]
        assert False not in changes(bob, "bob")
        assert await redis_client.hkeys(keys.online("42")) == ["bob"]


async def test_a_node_that_was_only_paused_lists_its_sessions_again(
    witness: Node, victim: NodeProcess, redis_client: Redis
) -> None:
    """SIGSTOP for longer than its lease: swept, and here again when it goes on."""
    async with member(witness, "bob", "42") as bob, member(victim, "ann", "42") as ann:
        victim.pause()
        await wait_until(
            lambda: changes(bob, "ann") == [True, False], "ann seems to be gone"
        )
        victim.resume()
        await wait_until(
            lambda: changes(bob, "ann") == [True, False, True], "ann is here again"
        )
        await bob.send("hello")
        await ann.next("message", text="hello")
        assert await redis_client.hget(keys.online("42"), "ann") == "1"


@ONE_VALKEY
async def test_who_is_here_is_right_again_after_a_lost_tail(
    redis_url: str, redis_server: RedisServer
) -> None:
    """Redis knows a session again that has ended, and forgot one that is here."""
    async with (
        Redis.from_url(redis_server.url) as redis,
        run_nodes(1, redis_url, lease_seconds=SHORT_LEASE_SECONDS) as [node],
    ):
        async with client(node, "ann") as ann:
            await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
            names = [
                keys.sessions("42"),
                keys.online("42"),
                keys.node_sessions(node.parts.id),
            ]
            older = [await redis.dump(name) or b"" for name in names]

        async def gone() -> bool:
            return not await redis.exists(*names)

        await wait_until(gone, "ann has left")
        async with client(node, "bob") as bob:
            await bob.call("join", {"room": "42"}, namespace=NAMESPACE)
            for name, value in zip(names, older, strict=True):
                await redis.restore(name, 0, value, replace=True)
            await redis.client_kill_filter(_type="normal", skipme=True)

            async def right() -> bool:
                return not await presence_error(redis, "42", Counter(["bob"]))

            await wait_until(right, "bob is here and ann is not")
