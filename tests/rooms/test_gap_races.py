"""Gaps in Pub/Sub, at the moments at which they are hard to close."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from realtime.store.message_log import MessageLog
from realtime.store.scripts import LogPage
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.store_fixtures import unheard_log
from tests.kit.waiting import wait_until

ROOM = "gaps"
CHANNEL = f"chatroom-{ROOM}"
# A gap is closed by one or two reads of the log; more are the look that follows.
READS_OVERTAKEN = 4


async def append(log: MessageLog) -> int:
    """Store a message and return its offset."""
    appended = await log.append(
        room=ROOM, user="ann", client_id=uuid4().hex, content={"text": "hello"}
    )
    return appended.offset


async def test_messages_that_overtake_the_reading_of_the_log_come_once(
    redis_url: str, redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message is published while a catch-up's answer is on its way."""
    async with run_nodes(1, redis_url) as [node], client(node, "ann") as ann:
        seen: list[int] = []
        ann.on("message", lambda event: seen.append(event["message"]), NAMESPACE)
        await ann.call("join", {"room": ROOM}, namespace=NAMESPACE)
        feeds = node.parts.feeds
        log = node.parts.log
        reads: list[int] = []
        read = MessageLog.read

        async def overtaken(self: MessageLog, *args: Any, **keywords: Any) -> LogPage:
            page = await read(self, *args, **keywords)
            if len(reads) < READS_OVERTAKEN:
                feed = feeds.get(CHANNEL)
                assert feed is not None
                offset = await append(log)
                reads.append(offset)
                await wait_until(
                    lambda: feed.highest_seen >= offset, "the message was published"
                )
            return page

        monkeypatch.setattr(MessageLog, "read", overtaken)
        await redis_client.client_kill_filter(_type="pubsub")
        await wait_until(lambda: reads, "the log is read after the cut")
        subscriber = node.parts.subscriber
        await wait_until(lambda: subscriber.ready, "subscribed")
        last = await append(log)
        await wait_until(lambda: last in seen, "the last message is delivered")
        assert seen == sorted(set(seen))


async def test_a_cursor_is_honoured_by_a_node_that_reads_behind_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client heard elsewhere what this node's slow line to Redis still brings."""
    async with (
        run_nodes(1, redis_url) as [node],
        client(node, "ann") as ann,
        client(node, "bob") as bob,
    ):
        await ann.call("join", {"room": ROOM}, namespace=NAMESPACE)
        feeds = node.parts.feeds
        feed = feeds.get(CHANNEL)
        assert feed is not None
        asked, answered = asyncio.Event(), asyncio.Event()
        read = MessageLog.read

        async def slow(self: MessageLog, *args: Any, **keywords: Any) -> LogPage:
            page = await read(self, *args, **keywords)
            asked.set()
            await answered.wait()
            return page

        monkeypatch.setattr(MessageLog, "read", slow)
        feeds.read_again(CHANNEL)
        await asked.wait()
        # Published where this node does not listen: its line is slow.
        async with unheard_log(redis_url) as elsewhere:
            appended = await elsewhere.append(
                room=ROOM, user="ann", client_id="c1", content={"text": "hello"}
            )
        holds = feed.holds
        cursor = f"{appended.offset}:{appended.uid}"
        joining = asyncio.create_task(
            bob.call("join", {"room": ROOM, "cursor": cursor}, namespace=NAMESPACE)
        )
        await wait_until(lambda: feed.holds > holds, "the join is under way")
        answered.set()
        ack = await joining
        assert (ack["recovered"], ack["cursor"]) == (True, cursor)
