"""python-socketio's own API, over the nodes: what its users know works as they know."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import ChatError
from tests.kit.nodes import NAMESPACE, Node, client
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

CHAT = "chatroom-42"
LOBBY = "lobby"


@dataclass
class Guest:
    """A connected client, what it got, and its session id."""

    sio: Any
    sid: str
    got: list[Any]

    async def gets(self, expected: list[Any]) -> None:
        """Return when it has got exactly this, and no more."""
        await wait_until(lambda: len(self.got) >= len(expected), f"it gets {expected}")
        assert self.got == expected
        self.got.clear()


def server_of(node: Node) -> Any:
    """Return a node's Socket.IO server, as an application uses it."""
    return node.parts.server


async def guest(sio: Any) -> Guest:
    """Note what a client gets of the events of these tests."""
    got: list[Any] = []

    async def note(*arguments: Any) -> object:
        got.append(list(arguments) if len(arguments) != 1 else arguments[0])
        return "answer", len(got)

    sio.on("note", note, namespace=NAMESPACE)
    return Guest(sio, sio.get_sid(NAMESPACE), got)


@dataclass
class Stage:
    """Guests on the first, second and last node, and the server of the first."""

    here: Guest
    there: Guest
    far: Guest
    servers: list[Any]

    @property
    def guests(self) -> tuple[Guest, Guest, Guest]:
        """All of them."""
        return self.here, self.there, self.far

    async def settled(self) -> None:
        """Return when whatever was emitted before has arrived everywhere."""
        await self.servers[0].emit("note", "settled", namespace=NAMESPACE)
        for each in self.guests:
            await wait_until(lambda each=each: "settled" in each.got, "all have it")
            each.got.remove("settled")


@pytest.fixture
async def stage(nodes: list[Node]) -> AsyncIterator[Stage]:
    """Three guests, spread over the nodes."""
    at = [nodes[0], nodes[len(nodes) // 2], nodes[-1]]
    async with (
        client(at[0], "ann") as one,
        client(at[1], "bob") as two,
        client(at[2], "cid") as three,
    ):
        yield Stage(
            await guest(one),
            await guest(two),
            await guest(three),
            servers=[server_of(each) for each in at],
        )


async def enter(stage: Stage, room: str, *guests: Guest) -> None:
    """Put guests into a room, each through a node that is not its own."""
    for each in guests:
        await stage.servers[0].enter_room(each.sid, room, namespace=NAMESPACE)

    def inside() -> bool:
        rooms = [
            server.manager.rooms[NAMESPACE].get(room, {}) for server in stage.servers
        ]
        return all(any(each.sid in members for members in rooms) for each in guests)

    await wait_until(inside, "all are in the room")


@pytest.mark.parametrize("room", [CHAT, LOBBY])
async def test_emit_to_a_room(stage: Stage, room: str) -> None:
    """To those in it, wherever they are; with no, one and several arguments."""
    await enter(stage, room, stage.here, stage.far)
    server = stage.servers[0]
    sent: tuple[Any, ...] = ("one", {"a": [1]}, None, (1, "two"))
    for data in sent:
        await server.emit("note", data, room=room, namespace=NAMESPACE)
    for each in (stage.here, stage.far):
        await each.gets(["one", {"a": [1]}, [], [1, "two"]])
    await stage.settled()
    assert stage.there.got == []


async def test_emit_to_everybody(stage: Stage) -> None:
    """Without a room: all sessions of the namespace."""
    await stage.servers[0].emit("note", 1, namespace=NAMESPACE)
    for each in stage.guests:
        await each.gets([1])


async def test_emit_to_several_rooms(stage: Stage) -> None:
    """Who is in two of them gets it once."""
    await enter(stage, CHAT, stage.here, stage.far)
    await enter(stage, LOBBY, stage.there, stage.far)
    await stage.servers[0].emit("note", 1, room=[CHAT, LOBBY], namespace=NAMESPACE)
    for each in stage.guests:
        await each.gets([1])


@pytest.mark.parametrize("room", [CHAT, LOBBY])
async def test_emit_that_skips_sessions(stage: Stage, room: str) -> None:
    """One or several sessions, also of another node."""
    await enter(stage, room, *stage.guests)
    server = stage.servers[0]
    await server.emit(
        "note", "one", room=room, skip_sid=stage.far.sid, namespace=NAMESPACE
    )
    skipped = [stage.here.sid, stage.far.sid]
    await server.emit("note", "two", room=room, skip_sid=skipped, namespace=NAMESPACE)
    await stage.there.gets(["one", "two"])
    await stage.here.gets(["one"])
    await stage.settled()
    assert stage.far.got == []


@pytest.mark.parametrize("room", [CHAT, LOBBY])
async def test_emit_of_bytes(stage: Stage, room: str) -> None:
    """Binary attachments arrive as they were."""
    await enter(stage, room, stage.here, stage.far)
    data = {"a": b"\x00\xff", "b": [b"", b"x" * 5000]}
    await stage.servers[0].emit("note", data, room=room, namespace=NAMESPACE)
    await stage.here.gets([data])
    await stage.far.gets([data])


async def test_emit_to_a_session_of_another_node(stage: Stage) -> None:
    """By its sid, as a room of its own."""
    for each in stage.guests:
        await stage.servers[0].emit("note", each.sid, to=each.sid, namespace=NAMESPACE)
    for each in stage.guests:
        await each.gets([each.sid])


async def test_a_callback_from_another_node(stage: Stage) -> None:
    """It runs on the node that asked, with what the client answered."""
    for each in stage.guests:
        answers: list[Any] = []
        await stage.servers[0].emit(
            "note",
            "q",
            to=each.sid,
            namespace=NAMESPACE,
            callback=lambda *values, answers=answers: answers.append(values),
        )
        await wait_until(lambda answers=answers: answers, "the answer comes")
        assert answers == [("answer", 1)]


async def test_call_a_session_of_another_node(stage: Stage) -> None:
    """``call`` waits for the answer."""
    found = await stage.servers[0].call(
        "note", b"\x01", to=stage.far.sid, namespace=NAMESPACE, timeout=DEADLINE_SECONDS
    )
    assert tuple(found) == ("answer", 1)
    await stage.far.gets([b"\x01"])


@pytest.mark.parametrize("room", [CHAT, LOBBY])
async def test_leave_and_close_from_another_node(stage: Stage, room: str) -> None:
    """One is taken out, then all are."""
    server = stage.servers[0]
    await enter(stage, room, *stage.guests)
    await server.leave_room(stage.far.sid, room, namespace=NAMESPACE)

    def members() -> set[str]:
        rooms = [each.manager.rooms[NAMESPACE].get(room, {}) for each in stage.servers]
        return {sid for each in rooms for sid in each}

    await wait_until(lambda: stage.far.sid not in members(), "one is out")
    assert members() == {stage.here.sid, stage.there.sid}
    await server.close_room(room, namespace=NAMESPACE)
    await wait_until(lambda: not members(), "all are out")
    await server.emit("note", "x", room=room, namespace=NAMESPACE)
    await stage.settled()
    assert [each.got for each in stage.guests] == [[], [], []]


async def test_a_closed_chat_room_is_given_up(
    stage: Stage, redis_client: Redis
) -> None:
    """No node listens to a room that nobody is in any more."""
    await enter(stage, CHAT, *stage.guests)
    assert await redis_client.pubsub_channels(CHAT) == [CHAT]
    await stage.servers[0].close_room(CHAT, namespace=NAMESPACE)

    async def nobody() -> bool:
        return not await redis_client.pubsub_channels(CHAT)

    await wait_until(nobody, "the channel is given up")


async def test_disconnect_from_another_node(stage: Stage) -> None:
    """The client is told, and the session is gone where it was."""
    await stage.servers[0].disconnect(stage.far.sid, namespace=NAMESPACE)
    await wait_until(
        lambda: NAMESPACE not in stage.far.sio.namespaces, "the client is told"
    )
    assert not stage.servers[-1].manager.is_connected(stage.far.sid, NAMESPACE)
    await stage.servers[0].emit("note", 1, namespace=NAMESPACE)
    await stage.here.gets([1])


async def test_order_of_a_room_over_all_kinds_of_emit(stage: Stage) -> None:
    """Plain, binary and skipping emits of one node arrive in their order."""
    await enter(stage, CHAT, *stage.guests)
    server = stage.servers[0]
    for number in range(20):
        await server.emit("note", number, room=CHAT, namespace=NAMESPACE)
        data = bytes([number])
        await server.emit("note", data, room=CHAT, namespace=NAMESPACE)
        await server.emit(
            "note", -number, room=CHAT, skip_sid="nobody", namespace=NAMESPACE
        )
    expected = [each for n in range(20) for each in (n, bytes([n]), -n)]
    for who in stage.guests:
        await who.gets(expected)


async def test_a_write_only_manager_in_another_process(
    stage: Stage, redis_url: str
) -> None:
    """A worker emits to a room and to a session, and needs no server for it."""
    await enter(stage, CHAT, stage.here, stage.far)
    program = f"""
import asyncio
from realtime.socketio.manager import ChatroomManager

async def main():
    async with ChatroomManager({redis_url!r}, write_only=True) as manager:
        await manager.emit("note", "room", room="{CHAT}", namespace="{NAMESPACE}")
        await manager.emit(
            "note", b"sid", to="{stage.there.sid}", namespace="{NAMESPACE}"
        )

asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
    await stage.here.gets(["room"])
    await stage.far.gets(["room"])
    await stage.there.gets([b"sid"])


async def test_a_publish_that_fails_raises(
    stage: Stage, nodes: list[Node], redis_server: RedisServer
) -> None:
    """The application learns that its emit went nowhere; own sessions get theirs."""
    redis_server.kill()
    with pytest.raises(ChatError):
        await stage.servers[0].emit("note", 1, room=CHAT, namespace=NAMESPACE)
    await stage.servers[0].emit("note", 2, to=stage.here.sid, namespace=NAMESPACE)
    await stage.here.gets([2])
    redis_server.start()
    subscriber = nodes[0].parts.subscriber
    await wait_until(lambda: subscriber.ready, "Redis is reached again")


async def test_sessions_of_users_come_and_go_without_a_trace(
    stage: Stage, nodes: list[Node]
) -> None:
    """Entering, calling and leaving by the stock API leaves nothing in a manager."""
    for _ in range(3):
        async with client(nodes[-1], "dan") as sio:
            dan = await guest(sio)
            await enter(stage, CHAT, dan)
            await stage.servers[0].call(
                "note", 1, to=dan.sid, namespace=NAMESPACE, timeout=DEADLINE_SECONDS
            )
    await wait_until(
        lambda: all(
            CHAT not in server.manager.rooms[NAMESPACE] for server in stage.servers
        ),
        "the room is empty",
    )
    own = {each.sid for each in stage.guests}
    for server in stage.servers:
        assert set(server.manager.rooms[NAMESPACE][None]) <= own
    assert not any(len(node.parts.feeds) for node in nodes)
