"""Redis under Sentinel: a failover loses nothing that was acked as replicated."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.redis.connection import RedisConnection
from realtime.redis.url import connection_factory
from tests.kit.members import Member, all_see, member, members
from tests.kit.nodes import run_nodes
from tests.kit.waiting import MS, wait_until
from verify.harness.sentinel import SentinelGroup

# Some twelve; and thirty more where a Sentinel that was kept waiting trusts nobody.
HEALED_SECONDS = 60_000 * MS


@asynccontextmanager
async def talking(who: Member) -> AsyncIterator[list[str]]:
    """Have a member talk, repeating each message until it is acknowledged."""
    acknowledged: list[str] = []
    ended = asyncio.Event()

    async def talk() -> None:
        for number in itertools.count(1):
            if ended.is_set():
                return
            text = f"{who.user} {number}"
            payload = {"room": "42", "clientId": f"c{number}", "type": "text"}
            while not (await who.ask("send", {**payload, "text": text}))["ok"]:
                await asyncio.sleep(50 * MS)
            acknowledged.append(text)

    async with asyncio.TaskGroup() as group:
        group.create_task(talk())
        await wait_until(lambda: len(acknowledged) > 5, "messages flow")
        yield acknowledged
        ended.set()


async def kill_primary(group: SentinelGroup) -> None:
    """SIGKILL: the Sentinels notice and promote a replica."""
    group.processes[group.primary].kill()


async def hand_over(group: SentinelGroup) -> None:
    """What an operator does before maintenance."""
    await group.fail_over()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("fault", "durability"),
    [
        # The Sentinels promote the replica that has the most.
        (kill_primary, "replicas:1"),
        # The one promoted need not be the one that confirmed: only all of them will do.
        (hand_over, "replicas:2"),
    ],
)
async def test_a_failover_loses_nothing_that_was_replicated(
    fault: Callable[[SentinelGroup], Awaitable[None]], durability: str, tmp_path: Path
) -> None:
    """Two nodes: members see every acknowledged message once, in order.

    What was not replicated yet may be gone with the old primary. Then the members are
    told to reload, and the message is sent again.
    """
    async with (
        SentinelGroup(tmp_path) as group,
        run_nodes(2, group.url, durability=durability) as nodes,
        members(nodes, ("ann", "bob"), "42") as (ann, bob),
    ):
        async with talking(ann) as acknowledged:
            former = group.primary
            await fault(group)
            await group.promoted(former)
            count = len(acknowledged)
            await wait_until(
                lambda: len(acknowledged) > count + 5,
                "messages flow again",
                seconds=HEALED_SECONDS,
            )
        if "reload" not in {event for event, _ in bob.timeline}:
            await all_see([bob], acknowledged)
        async with member(nodes[-1], "cid") as later:
            await later.join()
            newest = later.texts("42")
            assert newest == acknowledged[-len(newest) :]
            last = {"room": "42", "clientId": "last", "type": "text", "text": "bye"}
            while not (await later.ask("send", last))["ok"]:
                await asyncio.sleep(50 * MS)
            await wait_until(lambda: "bye" in bob.texts("42"), "one room still")


@pytest.mark.timeout(120)
async def test_a_former_primary_is_left_while_it_serves_on(tmp_path: Path) -> None:
    """After a planned failover it takes writes for seconds, all of which are lost.

    The nodes go by what the Sentinels say, not by what the former primary does.
    """
    async with (
        SentinelGroup(tmp_path) as group,
        run_nodes(1, group.url) as nodes,
        members(nodes, ("ann",), "42") as (ann,),
    ):
        former = group.admin(group.primary)
        await hand_over(group)
        await group.promoted(group.primary)

        async def left() -> bool:
            return not await former.pubsub_channels("chatroom-*")

        await wait_until(left, "the node is gone", seconds=HEALED_SECONDS)
        assert (await former.info("replication"))["role"] == "master"
        hello = {"room": "42", "clientId": "c", "type": "text", "text": "hello"}
        while not (await ann.ask("send", hello))["ok"]:
            await asyncio.sleep(50 * MS)
        assert await group.admin(group.primary).exists("{chatroom-42}:log")


@pytest.mark.timeout(60)
async def test_a_sentinel_that_is_down_keeps_nobody_from_the_primary(
    tmp_path: Path,
) -> None:
    """The first one named is gone, or silent with its machine: the next one is asked.

    Sentinels often run where the primary runs, and go down with it.
    """
    async with SentinelGroup(tmp_path) as group:
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            socket.create_server(("127.0.0.1", 0)) as gone,
        ):
            down = [each.getsockname()[1] for each in (silent, gone)]
            gone.close()
            named = "".join(f"127.0.0.1:{port}," for port in down)
            url = group.url.replace("sentinel://", f"sentinel://{named}")
            factory = connection_factory(url, timeout_seconds=3_000 * MS)
            # By more than one connection, as a node does.
            for _ in range(2):
                wire = await RedisConnection.connect(
                    factory, timeout_seconds=3_000 * MS
                )
                await wire.close()
