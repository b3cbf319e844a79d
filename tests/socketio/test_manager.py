"""The manager without a server: what it publishes, and what it does when it cannot."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.socketio.fan_out import CHUNK_SESSIONS
from realtime.socketio.manager import ChatroomManager
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

TIMEOUT_SECONDS = 500 * MS


@asynccontextmanager
async def writer(url: str) -> AsyncIterator[ChatroomManager]:
    """Run a manager of a process that only emits."""
    manager = ChatroomManager(url, write_only=True, timeout_seconds=TIMEOUT_SECONDS)
    async with manager:
        yield manager


@asynccontextmanager
async def heard(redis_client: Redis, *channels: str) -> AsyncIterator[PubSub]:
    """Subscribe channels as a monitor does."""
    async with redis_client.pubsub() as pubsub:
        await pubsub.subscribe(*channels)
        for _ in channels:
            await pubsub.get_message(timeout=DEADLINE_SECONDS)
        yield pubsub


async def next_of(pubsub: PubSub) -> tuple[str, Any]:
    """Return the channel and the decoded payload of the next publication."""
    message: Any = await pubsub.get_message(timeout=DEADLINE_SECONDS)
    assert message, "nothing was published"
    return message["channel"], json.loads(message["data"])


async def test_an_emit_to_a_chat_room_is_the_event_itself(
    redis_url: str, redis_client: Redis
) -> None:
    """One JSON array on the room's own channel, for every node as it is."""
    async with (
        heard(redis_client, "chatroom", "chatroom-42") as monitor,
        writer(redis_url) as manager,
    ):
        await manager.emit("note", {"a": 1}, namespace="/chat", room="chatroom-42")
        assert await next_of(monitor) == ("chatroom-42", ["note", {"a": 1}])
        await manager.emit("two", (1, "b"), namespace="/chat", to="chatroom-42")
        assert await next_of(monitor) == ("chatroom-42", ["two", 1, "b"])
        await manager.emit("none", None, namespace="/chat", room="chatroom-42")
        assert await next_of(monitor) == ("chatroom-42", ["none"])


@pytest.mark.parametrize(
    ("options", "channel"),
    [
        ({"room": "chatroom-42", "skip_sid": "s"}, "chatroom-42"),
        ({"room": "chatroom-42", "namespace": "/other"}, "chatroom-42"),
        ({"room": "lobby"}, "chatroom"),
        ({"room": ["chatroom-42", "lobby"]}, "chatroom"),
        ({}, "chatroom"),
    ],
)
async def test_what_is_no_plain_event_is_a_control_message(
    redis_url: str, redis_client: Redis, options: dict[str, Any], channel: str
) -> None:
    """An object, on the room's channel if all that it concerns listen there."""
    async with (
        heard(redis_client, "chatroom", "chatroom-42") as monitor,
        writer(redis_url) as manager,
    ):
        await manager.emit("note", "x", **{"namespace": "/chat", **options})
        where, message = await next_of(monitor)
    assert where == channel
    assert (message["method"], message["event"], message["data"]) == (
        "emit",
        "note",
        ["x"],
    )


async def test_an_event_that_imitates_the_log_is_no_event_of_the_log(
    redis_url: str, redis_client: Redis
) -> None:
    """It would be taken for a gap in the room, so it does not travel as one."""
    async with (
        heard(redis_client, "chatroom-42") as monitor,
        writer(redis_url) as manager,
    ):
        forged = {"offset": 999, "uid": "x"}
        await manager.emit("message", forged, namespace="/chat", room="chatroom-42")
        _, message = await next_of(monitor)
    assert message["method"] == "emit"


async def test_a_publish_that_fails_raises(
    redis_url: str, redis_server: RedisServer
) -> None:
    """Nothing is given up silently: not sent, or nobody knows."""
    async with writer(redis_url) as manager:
        await manager.emit("note", "x", room="chatroom-42", namespace="/chat")
        redis_server.pause()
        with pytest.raises(OutcomeUnknownError):
            await manager.emit("note", "x", room="chatroom-42", namespace="/chat")
        redis_server.resume()
        redis_server.kill()
        with pytest.raises((UnavailableError, OutcomeUnknownError)):
            await manager.disconnect("somebody", "/chat")
        with pytest.raises(UnavailableError):
            await manager.close_room("chatroom-42", "/chat")


async def test_a_callback_needs_a_server(redis_url: str) -> None:
    """A process that only emits cannot be answered, and is told so."""
    async with writer(redis_url) as manager:
        with pytest.raises(RuntimeError, match="server"):
            await manager.emit("q", 1, room="x", callback=print)


async def test_a_writer_listens_to_nothing(redis_url: str, redis_client: Redis) -> None:
    """It costs Redis one connection and no subscription."""
    async with writer(redis_url) as manager:
        await manager.emit("note", "x", room="chatroom-42", namespace="/chat")
        assert await redis_client.pubsub_channels() == []


class Nowhere:
    """Channels that are not subscribed."""

    async def hold(self, channel: str) -> None:
        """Do nothing."""

    def keep(self, channel: str) -> None:
        """Do nothing."""

    def release(self, channel: str) -> None:
        """Do nothing."""


class Deaf:
    """Stands for a server whose sessions take everything."""

    packet_class: Any = None

    def __init__(self) -> None:
        self.written = 0
        self.eio = self

    def broadcast(self, eio_sids: Any, packets: Any) -> None:
        """Count what would be written."""
        self.written += len(list(eio_sids)) * len(packets)


async def test_the_backlog_of_a_large_room_is_known() -> None:
    """Else nothing bounds what waits in memory for a room that is slow to serve."""
    manager = ChatroomManager(channels=Nowhere())
    server = Deaf()
    manager.server = server
    members = {f"s{n}": f"e{n}" for n in range(CHUNK_SESSIONS + 1)}
    manager.rooms.setdefault("/chat", {})["chatroom-42"] = members
    for _ in range(3):
        manager.send_events("chatroom-42", [b'["typing",{"room":"42"}]'])
    assert manager.backlog("chatroom-42") == manager.total_backlog == 3
    assert manager.backlog("chatroom-7") == 0
    async with running(manager.run()):
        await wait_until(lambda: not manager.total_backlog, "what waited went out")
    assert server.written == 3 * len(members)
