"""The manager without a server: what it publishes, and what it does when it cannot."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.socketio.manager import ChatroomManager
from realtime.socketio.node_sids import mark_of_host, new_sid
from realtime.socketio.sweep import BLOCK_MEMBERS
from realtime.store import keys
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.spread_redis import ONE_VALKEY
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


@ONE_VALKEY
async def test_what_concerns_one_session_goes_to_its_node_alone(
    redis_url: str, redis_client: Redis
) -> None:
    """A thousand nodes do not each read what one of them can do.

    A room of an application that looks like a session's id is none.
    """
    mark = mark_of_host("another node")
    sid, own = new_sid(mark), keys.node_channel(mark)
    async with (
        heard(redis_client, "chatroom", own) as monitor,
        writer(redis_url) as manager,
    ):
        await manager.emit("note", "x", namespace="/chat", room=sid)
        await manager.enter_room(sid, "/chat", "lobby")
        await manager.disconnect(sid, "/chat")
        await manager.emit("note", "x", namespace="/chat", room="a" * len(sid))
        told = [await next_of(monitor) for _ in range(4)]
    assert [(where, message["method"]) for where, message in told] == [
        (own, "emit"),
        (own, "enter_room"),
        (own, "disconnect"),
        ("chatroom", "emit"),
    ]


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


class Takers:
    """Stands for a server whose sessions take everything."""

    packet_class: Any = None

    def __init__(self) -> None:
        self.got: dict[str, list[Any]] = {}
        self.eio = self
        self._sids = map(str, count())

    def generate_id(self) -> str:
        """Return a new session id."""
        return f"sid-{next(self._sids)}"

    def broadcast(self, eio_sids: Any, packets: Any) -> None:
        """Take note of what would be written."""
        for eio_sid in eio_sids:
            self.got.setdefault(eio_sid, []).extend(packets)


@pytest.fixture
def takers() -> Takers:
    """The sessions."""
    return Takers()


@pytest.fixture
async def crowd(takers: Takers) -> tuple[ChatroomManager, list[str]]:
    """A manager with a room 42 of more sessions (e0, e1, …) than are served at once."""
    manager = ChatroomManager(channels=Nowhere())
    manager.server = takers
    sids = []
    for number in range(BLOCK_MEMBERS + 3):
        sid = await manager.connect(f"e{number}", "/chat")
        assert sid
        manager.basic_enter_room(sid, "/chat", "chatroom-42")
        sids.append(sid)
    return manager, sids


EVENT = b'["typing",{"room":"42"}]'
PACKET = "2/chat," + EVENT.decode()


async def test_what_waits_for_a_large_room_is_known(
    crowd: tuple[ChatroomManager, list[str]], takers: Takers
) -> None:
    """Else nothing bounds what waits in memory for a room that is slow to serve."""
    manager, sids = crowd
    assert manager.backlog("chatroom-42") == 0
    for _ in range(3):
        manager.send_events("chatroom-42", [EVENT])
    assert manager.waiting_bytes == 3 * len(PACKET)
    assert manager.backlog("chatroom-42") > 0
    assert manager.backlog("chatroom-7") == 0
    async with running(manager.run()):
        await wait_until(lambda: not manager.waiting_bytes, "what waited went out")
    assert takers.got == {f"e{number}": [PACKET] * 3 for number in range(len(sids))}


async def test_who_comes_and_goes_while_a_large_room_is_served(
    crowd: tuple[ChatroomManager, list[str]], takers: Takers
) -> None:
    """Each gets what was sent while they were in: not before, not after."""
    manager, sids = crowd
    manager.send_events("chatroom-42", [EVENT])
    manager.basic_leave_room(sids[0], "/chat", "chatroom-42")
    assert takers.got == {"e0": [PACKET]}
    manager.pre_disconnect(sids[1], "/chat")
    manager.basic_disconnect(sids[1], "/chat")
    late = await manager.connect("late", "/chat")
    assert late
    manager.basic_enter_room(late, "/chat", "chatroom-42")
    manager.basic_enter_room(late, "/chat", "chatroom-42")
    manager.send("/chat", "chatroom-42", ["second"])
    async with running(manager.run()):
        await wait_until(lambda: not manager.waiting_bytes, "what waited went out")
    assert takers.got.pop("e0") == [PACKET]
    assert takers.got.pop("late") == ["second"]
    assert "e1" not in takers.got
    assert list(takers.got.values()) == [[PACKET, "second"]] * (BLOCK_MEMBERS + 1)


async def test_several_rooms_at_once(
    crowd: tuple[ChatroomManager, list[str]], takers: Takers
) -> None:
    """Who is in more than one of them is told once, in each room's order."""
    manager, sids = crowd
    manager.basic_enter_room(sids[5], "/chat", "lobby")
    other = await manager.connect("other", "/chat")
    assert other
    manager.basic_enter_room(other, "/chat", "lobby")
    manager.send("/chat", "chatroom-42", ["first"])
    manager.send("/chat", ["lobby", "chatroom-42"], ["to both"], [sids[6]])
    async with running(manager.run()):
        await wait_until(lambda: not manager.waiting_bytes, "what waited went out")
    assert takers.got.pop("other") == ["to both"]
    assert sorted(takers.got.pop("e5")) == ["first", "to both"]
    assert takers.got.pop("e6") == ["first"]
    assert list(takers.got.values()) == [["first", "to both"]] * (BLOCK_MEMBERS + 1)
