"""Redis under Sentinel: a failover loses nothing that was acked as replicated."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from realtime.redis_url import connection_factory
from realtime.redis_wire import RedisWire
from tests.members import Member, all_see, member, members
from tests.nodes import run_nodes
from tests.sentinel import SentinelGroup
from tests.waiting import MS, wait_until

HEALED_SECONDS = 20_000 * MS


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
    await asyncio.to_thread(group.kill, group.primary())


async def hand_over(group: SentinelGroup) -> None:
    """What an operator does before maintenance."""
    await asyncio.to_thread(group.fail_over)


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
    fault: Callable[[SentinelGroup], Awaitable[None]], durability: str
) -> None:
    """Two nodes: members see every acknowledged message once, in order.

    What was not replicated yet may be gone with the old primary. Then the members are
    told to reload, and the message is sent again.
    """
    group = SentinelGroup()
    await asyncio.to_thread(group.start)
    try:
        async with (
            run_nodes(2, group.url, durability=durability) as nodes,
            members(nodes, ("ann", "bob"), "42") as (ann, bob),
        ):
            async with talking(ann) as acknowledged:
                before = group.primary()
                await fault(group)

                async def moved() -> bool:
                    return await asyncio.to_thread(group.primary) != before

                await wait_until(moved, "another primary", seconds=HEALED_SECONDS)
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
    finally:
        await asyncio.to_thread(group.stop)


@pytest.mark.timeout(60)
async def test_a_sentinel_that_is_down_keeps_nobody_from_the_primary() -> None:
    """The first one named is gone, or silent with its machine: the next one is asked.

    Sentinels often run where the primary runs, and go down with it.
    """
    group = SentinelGroup()
    await asyncio.to_thread(group.start)
    try:
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
                wire = await RedisWire.connect(factory, timeout_seconds=3_000 * MS)
                await wire.close()
    finally:
        await asyncio.to_thread(group.stop)
