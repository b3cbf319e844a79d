"""A seeded crowd of clients that send anything: nothing breaks, nothing stays."""

import asyncio
import json
import os
import random
from typing import Any

import pytest

from realtime.socketio.server import ChatroomServer
from tests.kit.raw_socket import client_frame, raw_socket
from tests.kit.serving import serve_socketio
from tests.kit.waiting import MS, wait_until

PATH = "/socket.io/?EIO=4&transport=websocket"
CLIENTS = 150
AT_ONCE = 10
SEED = 20_261


def frames(chance: random.Random) -> list[bytes]:
    """Return some frames: good, bent and broken ones."""
    holder = {"_placeholder": True, "num": chance.choice([0, 1, -1, "0", None, 9**9])}
    texts = [
        '42["echo",1]',
        '421["echo",{"a":[]}]',
        "421" + json.dumps(["echo", "x" * chance.randrange(70_000)]),
        f"451-{json.dumps(['echo', holder])}",
        '42["connect",{}]',
        '421["disconnect"]',
        "41",
        "40",
        "40/x,[]",
        "3",
        "430[]",
        '43["a"]',
        '42["echo",' + "[" * chance.randrange(2_000),
        '42["' + "\\ud800" * 3 + '"]',
        "".join(chance.choice('0123456[]{}",-/\\x') for _ in range(30)),
    ]
    made = []
    for _ in range(chance.randrange(1, 8)):
        frame = client_frame(chance.choice(texts))
        kind = chance.random()
        if kind < 0.2:
            frame = client_frame(chance.randbytes(20), chance.randrange(16))
        elif kind < 0.3:
            frame = frame[: chance.randrange(len(frame))]
        elif kind < 0.4:
            at = chance.randrange(len(frame))
            frame = frame[:at] + chance.randbytes(1) + frame[at + 1 :]
        elif kind < 0.5:
            frame = client_frame(b"\x00" * 10, 2)
        made.append(frame)
    return made


async def test_a_crowd_that_sends_anything(caplog: pytest.LogCaptureFixture) -> None:
    """No traceback, no session left, no descriptor left; others are served."""
    chance = random.Random(SEED)
    server = ChatroomServer(async_mode="aiohttp", close_timeout=100 * MS)

    async def echo(sid: str, *values: Any) -> Any:
        return values

    server.on("echo", echo)
    async with serve_socketio(server) as port:
        descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        room = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with room, raw_socket(port, PATH) as socket:
                if chance.random() < 0.8:
                    socket.send("40")
                for frame in frames(chance):
                    socket.writer.write(frame)
                if chance.random() < 0.5:
                    socket.writer.transport.abort()
                elif chance.random() < 0.5:
                    socket.writer.write_eof()
                    await socket.ended()

        await asyncio.gather(*(one() for _ in range(CLIENTS)))
        await wait_until(
            lambda: not (server.eio.sockets or server.environ), "all sessions ended"
        )
        await wait_until(
            lambda: not server.eio.engine.context.closing, "all connections ended"
        )
        assert not server.manager.rooms
        assert server.held()["socketio_half_packets"] == 0
        await wait_until(
            lambda: len(os.listdir("/proc/self/fd")) <= descriptors,  # noqa: PTH208
            "all descriptors are free",
        )
        async with raw_socket(port, PATH) as socket:
            await socket.text()
            socket.send("40")
            await socket.text()
            socket.send('427["echo",7]')
            assert await socket.text() == "437[7]"
    assert not [each.getMessage() for each in caplog.records if each.exc_info]
