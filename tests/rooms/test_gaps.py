"""Publications that are lost, late or foreign: nobody misses or doubles a message."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.store import keys
from realtime.store.message_log import MessageLog
from tests.kit.members import Member, all_see, member, members, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import recording
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until
from tests.rooms.unpublished import append_unpublished

# A top is compared every second; then the log is read.
FOUND_SECONDS = 10_000 * MS
# Well below the three seconds that a room's opening may take.
REFUSED_SECONDS = 2_000 * MS


@asynccontextmanager
async def talking(who: Member) -> AsyncIterator[list[str]]:
    """Have a member talk while the block runs; what was acknowledged is yielded."""
    acknowledged: list[str] = []
    ended = False

    async def talk() -> None:
        for number in itertools.count(1):
            if ended:
                return
            text = f"{who.user}{number}"
            await who.send(text)
            acknowledged.append(text)

    async with asyncio.TaskGroup() as group:
        group.create_task(talk())
        await wait_until(lambda: acknowledged, f"{who.user} talks")
        try:
            yield acknowledged
        finally:
            ended = True


async def test_cut_pubsub_connections_in_traffic(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Again and again, on all nodes: nothing missed, nothing doubled."""
    async with members(nodes, "abcd", "42") as everybody:
        async with talking(everybody[0]) as told, talking(everybody[1]) as also_told:
            for _ in range(5):
                before = len(told)
                await redis_client.client_kill_filter(_type="pubsub")
                await wait_until(
                    lambda before=before: len(told) > before + 20, "talk goes on"
                )
        first = everybody[0]
        await wait_until(
            lambda: {*told, *also_told} <= set(first.texts()), "all is shown"
        )
        await all_see(everybody, first.texts())


async def test_after_a_cut_the_room_s_state_is_told(
    nodes: list[Node], redis_client: Redis
) -> None:
    """Typing, reads and presence that were missed are not repeated one by one."""
    async with member(nodes[0], "ann", "42") as ann, member(nodes[-1], "bob", "42"):
        await redis_client.client_kill_filter(_type="pubsub")
        state = await ann.next("state", room="42")
        assert state["online"] == ["ann", "bob"]
        assert state["reads"] == {"ann": 0, "bob": 0}


async def test_a_lost_last_publication_is_found(nodes: list[Node]) -> None:
    """Without a next one: the tops are compared now and then."""
    async with members(nodes, ["ann", "bob", "cid"], "42") as everybody:
        await everybody[0].send("heard")
        await all_see(everybody, ["heard"])
        await append_unpublished(nodes[0], "unheard")
        for who in everybody:
            await wait_until(
                lambda who=who: who.texts() == ["heard", "unheard"],
                "the lost one comes",
                seconds=FOUND_SECONDS,
            )


async def test_a_node_that_is_connected_and_hears_nothing_connects_anew(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Pub/Sub connection may lead to a former primary, for good."""
    monkeypatch.setattr("realtime.rooms.position_check.CHECK_SECONDS", 50 * MS)

    async def listening() -> set[tuple[str, str]]:
        # Of a cluster's servers, each has numbers of its own.
        clients: Any = await redis_client.client_list(_type="pubsub")
        return {(each["laddr"], each["id"]) for each in clients}

    async with run_nodes(1, redis_url) as (node,), member(node, "ann", "42") as ann:
        before = await listening()
        told: list[str] = []

        async def another() -> bool:
            told.append(f"unheard{len(told)}")
            await append_unpublished(node, told[-1])
            return bool(await listening() - before)

        await wait_until(another, "it has another connection")
        await ann.send("heard")
        await all_see([ann], [*told, "heard"])


async def test_a_lost_publication_is_read_before_the_next_one(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hole is filled at once and first, so the order stays."""
    # Nobody looks at the tops meanwhile.
    monkeypatch.setattr("realtime.rooms.position_check.CHECK_SECONDS", 3_600_000 * MS)
    async with (
        run_nodes(3, redis_url) as nodes,
        members(nodes, ["ann", "bob", "cid"], "42") as everybody,
    ):
        for number in range(5):
            await append_unpublished(nodes[0], f"unheard{number}")
            await everybody[0].send(f"heard{number}")
        expected = [f"{w}{n}" for n in range(5) for w in ("unheard", "heard")]
        await all_see(everybody, expected)


async def test_a_publication_that_comes_twice(
    nodes: list[Node], redis_client: Redis, channel: PubSub
) -> None:
    """A resharding may push one again: it is known by its offset and uid."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await ann.send("one")
        message = await channel.get_message(timeout=DEADLINE_SECONDS)
        assert message is not None
        await ann.send("two")
        await redis_client.publish("chatroom-42", message["data"])
        await ann.send("three")
        await all_see([ann, bob], ["one", "two", "three"])


@pytest.mark.parametrize(
    "foreign",
    [
        b"hello",
        b"",
        b"[",
        b"[]",
        b"[1,2]",
        b'"text"',
        b'["caf\xe9"]',
        b'{"method":1}',
        b'{"method":"emit"}',
        b'{"method":"emit","event":"x","data":1,"namespace":[],"room":{}}',
        b'{"method":"enter_room"}',
        b'{"method":"callback","host_id":"x"}',
        b"{not json",
    ],
)
async def test_what_strangers_publish_disturbs_nobody(
    nodes: list[Node], redis_client: Redis, foreign: bytes
) -> None:
    """An operator's slip in ``redis-cli``: connections live, and messages flow."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await ann.send("before")
        await bob.next("message", text="before")
        for channel in ("chatroom-42", "chatroom"):
            await redis_client.publish(channel, foreign)
        await ann.send("after")
        await all_see([ann, bob], ["before", "after"])


async def test_a_busy_room_is_not_read_again_and_again(
    redis_client: Redis, three: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comparing tops costs one question, not a reading of the log each time."""
    reads: list[str] = []
    tops: list[str] = []
    read, top = MessageLog.read, MessageLog.top

    async def counted_read(
        self: MessageLog, room: str, *rest: object, **more: object
    ) -> object:
        reads.append(room)
        return await read(self, room, *rest, **more)  # type: ignore[arg-type]

    async def counted_top(self: MessageLog, room: str) -> object:
        tops.append(room)
        return await top(self, room)

    async with (
        members(three, "abc", "42") as (one, two, other),
        talking(one),
        talking(two),
        talking(other),
    ):
        monkeypatch.setattr(MessageLog, "read", counted_read)
        monkeypatch.setattr(MessageLog, "top", counted_top)
        await wait_until(lambda: len(tops) >= 9, "each node compared three times")
        assert reads == []


async def test_a_room_whose_reading_failed_is_read_again(
    nodes: list[Node],
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A defect while it catches up is logged, and does not leave the room deaf."""
    async with members(nodes, "ab", "42") as everybody:
        with monkeypatch.context() as patch:

            async def broken(*_: object, **__: object) -> object:
                raise RuntimeError("a defect below")

            patch.setattr(MessageLog, "read", broken)
            await redis_client.client_kill_filter(_type="pubsub")
            await wait_until(lambda: "a defect below" in caplog.text, "it failed")
        await everybody[0].send("after")
        await all_see(everybody, ["after"])


async def test_a_room_that_cannot_be_opened_may_be_tried_again(
    redis_client: Redis, three: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    """Something else is in its place: refused at once, and mended later."""
    caplog.set_level(logging.CRITICAL, "realtime.rooms.feeds")
    await redis_client.set(keys.meta("42"), "no hash")
    async with recording(three[0], "ann") as ann:
        async with asyncio.timeout(REFUSED_SECONDS):
            refused = await ann.refused("join", {"room": "42"})
        assert refused["code"] == "unavailable"
        await redis_client.delete(keys.meta("42"))
        await ann.do("join", {"room": "42"})
    feeds = three[0].parts.feeds
    await wait_until(lambda: len(feeds) == 0, "nothing is held")


@pytest.mark.parametrize("lost", ["all", "the last"])
async def test_a_log_that_was_damaged_is_told_once(
    nodes: list[Node], redis_client: Redis, lost: str
) -> None:
    """Somebody deletes from the log by hand: one ``reload``, and then it goes on."""
    async with recording(nodes[0], "ann") as ann:
        await ann.do("join", {"room": "42"})
        await ann.do("send", text_of("one"))
        await ann.next("message", text="one")
        if lost == "all":
            await redis_client.delete(keys.log("42"))
            await append_unpublished(nodes[0], "two")
        else:
            meta = keys.meta("42")
            await redis_client.execute_command("HSET", meta, "offset", 2, "uid", "gone")
        await ann.next("reload", room="42")
        assert (await ann.do("join", {"room": "42"}))["cursor"].startswith("2:")
        await redis_client.client_kill_filter(_type="pubsub")
        await ann.next("state", room="42")
        await ann.do("send", text_of("three"))
        await ann.next("message", text="three")
        assert not [event for event, _ in ann.kept if event == "reload"]
