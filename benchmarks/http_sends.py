"""Sends over HTTP beside sends over sockets: ``python -m benchmarks.http_sends``.

One node on one core, Valkey and the load on the other. Users with a socket each, in a
room of their own, send one message after the other: over the socket, by POST with their
token, by POST with an API key. Each message arrives at the user's socket. Then sockets
send at an even pace, with HTTP sends beside them and without, in turn.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import orjson
from aiohttp import ClientSession, ClientWebSocketResponse

from benchmarks.cluster import Cluster, cluster
from benchmarks.machine import LOAD_CORE, cpu_seconds, describe
from benchmarks.tokens import token
from verify.harness.nodes import NODE_COMMAND

TEXT = "x" * 100
ROUND_SECONDS = 4.0
WARM_SECONDS = 1.0

# A second, of sockets and of HTTP beside them.
PACED_SENDS = 500

Send = Callable[[], Awaitable[None]]


class User:
    """A user with a socket in a room of their own.

    Args:
        name: The user's id, and the room's.
        socket: The WebSocket, joined.
    """

    def __init__(self, name: str, socket: ClientWebSocketResponse) -> None:
        self.name = name
        self._socket = socket
        self._ids = itertools.count(2)
        self._acked: asyncio.Future[None] | None = None
        self._arrived: asyncio.Future[None] | None = None

    async def read(self) -> None:
        """Take what arrives: acks, messages and pings."""
        async for packet in self._socket:
            if packet.data == "2":
                await self._socket.send_str("3")
            elif packet.data.startswith("43") and self._acked is not None:
                if '"ok":true' not in packet.data:
                    raise RuntimeError(packet.data)
                self._acked.set_result(None)
            elif '["message",' in packet.data and self._arrived is not None:
                self._arrived.set_result(None)
                self._arrived = None

    async def deliver(self) -> None:
        """Send over the socket, until the message is here."""
        arrived = self._arrived = asyncio.get_running_loop().create_future()
        await self.send()
        await arrived

    async def send(self) -> None:
        """Send over the socket, until it is acked."""
        number = next(self._ids)
        self._acked = asyncio.get_running_loop().create_future()
        said = {
            "room": self.name,
            "clientId": f"{self.name}-{number}",
            "type": "text",
            "text": TEXT,
        }
        await self._socket.send_str(f'42/chat,{number}["send",{json.dumps(said)}]')
        await self._acked


class Line:
    """An HTTP connection that is kept, and asked one thing after the other."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)

    def sender(self, room: str, bearer: str, mark: str) -> Send:
        """Return what posts a message, until it is answered."""
        body = orjson.dumps({"text": TEXT})
        head = (
            f"POST /api/chats/{room}/message HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {bearer}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nIdempotency-Key: {room}-{mark}-"
        )

        async def send() -> None:
            key = f"{next(self._ids)}\r\n\r\n"
            self._writer.write(head.encode() + key.encode() + body)
            answer = await self._reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 201"):
                raise RuntimeError(answer.decode())
            length = answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await self._reader.readexactly(int(length))

        return send


async def _join(http: ClientSession, port: int, name: str) -> User:
    url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    socket = await http.ws_connect(url)
    await socket.receive_str()
    await socket.send_str(f"40/chat,{json.dumps({'token': token(name)})}")
    await socket.receive_str()
    await socket.send_str(f'42/chat,1["join",{json.dumps({"room": name})}]')
    while not (await socket.receive_str()).startswith("43"):
        pass
    return User(name, socket)


def _new_key(redis_port: int) -> str:
    redis_url = f"redis://127.0.0.1:{redis_port}"
    create = ("key", "create", "bench", "--scopes", "write", "--redis-url", redis_url)
    made = subprocess.run(
        (*NODE_COMMAND, *create),
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


async def _measure(senders: list[Send], pid: int, seconds: float) -> dict[str, float]:
    """Have all send for a while; return what it was."""
    waits: list[float] = []
    ends = time.perf_counter() + seconds

    async def repeat(send: Send) -> None:
        while (began := time.perf_counter()) < ends:
            await send()
            waits.append(time.perf_counter() - began)

    cpu, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(repeat(send) for send in senders))
    spent = time.perf_counter() - began
    waits.sort()
    return {
        "sends/s": len(waits) / spent,
        "p50 ms": 1000 * waits[len(waits) // 2],
        "p99 ms": 1000 * waits[len(waits) * 99 // 100],
        "CPU µs": 1e6 * (cpu_seconds(pid) - cpu) / len(waits),
    }


async def _pace(sends: Sequence[Send], rate: float, seconds: float) -> float:
    """Send so often, each sender in its turn; return the p99, in ms."""
    waits: list[float] = []
    began = time.perf_counter()

    async def repeat(place: int) -> None:
        for count in itertools.count():
            due = began + (place + count * len(sends)) / rate
            if due > began + seconds:
                return
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            # From when it was due: who is late has waited as well.
            await sends[place]()
            waits.append(time.perf_counter() - due)

    await asyncio.gather(*(repeat(place) for place in range(len(sends))))
    waits.sort()
    return 1000 * waits[len(waits) * 99 // 100]


async def beside(
    nodes: Cluster, key: str, users: int, rounds: int
) -> dict[str, list[float]]:
    """Measure deliveries to sockets, alone and beside HTTP sends; the p99s in ms."""
    node = nodes.nodes[0]
    found: dict[str, list[float]] = {"alone": [], "beside HTTP": []}
    async with ClientSession() as http, asyncio.TaskGroup() as tasks:
        joined = [await _join(http, node.port, f"s{each}") for each in range(users)]
        # Rooms of their own: what HTTP sends is no delivery that is measured.
        others = [await _join(http, node.port, f"h{each}") for each in range(users)]
        reading = [tasks.create_task(user.read()) for user in (*joined, *others)]
        posts = [
            Line(*await asyncio.open_connection("127.0.0.1", node.port)).sender(
                user.name, key, "b"
            )
            for user in others
        ]
        delivers = [user.deliver for user in joined]
        for number in range(2 * rounds):
            way = [*found][(number + number // 2) % 2]
            paced = [_pace(delivers, PACED_SENDS, 2 * ROUND_SECONDS)]
            if way == "beside HTTP":
                paced.append(_pace(posts, PACED_SENDS, 2 * ROUND_SECONDS))
            found[way].append((await asyncio.gather(*paced))[0])
        for task in reading:
            task.cancel()
    return found


async def compare(
    nodes: Cluster, key: str, users: int, rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Measure the three ways in turn; return the figures of each round."""
    node = nodes.nodes[0]
    found: dict[str, list[dict[str, float]]] = {}
    async with ClientSession() as http, asyncio.TaskGroup() as tasks:
        joined = [await _join(http, node.port, f"u{each}") for each in range(users)]
        reading = [tasks.create_task(user.read()) for user in joined]
        lines = [
            Line(*await asyncio.open_connection("127.0.0.1", node.port)) for _ in joined
        ]
        ways: dict[str, list[Send]] = {
            "socket": [user.send for user in joined],
            "HTTP, token": [
                line.sender(user.name, token(user.name), "t")
                for line, user in zip(lines, joined, strict=True)
            ],
            "HTTP, API key": [
                line.sender(user.name, key, "k")
                for line, user in zip(lines, joined, strict=True)
            ],
        }
        for number in range(rounds):
            order = [*ways][number % 3 :] + [*ways][: number % 3]
            for way in order:
                await _measure(ways[way], node.process.pid, WARM_SECONDS)
                took = await _measure(ways[way], node.process.pid, ROUND_SECONDS)
                found.setdefault(way, []).append(took)
        for task in reading:
            task.cancel()
    return found


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Return medians, and the least and most of the rounds, as Markdown."""
    names = [*found["socket"][0]]
    socket_cpu = statistics.median(each["CPU µs"] for each in found["socket"])
    rows = [f"| | {' | '.join(names)} | CPU, ratio |", "|---" * (len(names) + 2) + "|"]
    for way, rounds in found.items():
        cells = []
        for name in names:
            values = [each[name] for each in rounds]
            middle = statistics.median(values)
            cells.append(f"{middle:.4g} ({min(values):.4g}–{max(values):.4g})")
        cpu = statistics.median(each["CPU µs"] for each in rounds)
        rows.append(f"| {way} | {' | '.join(cells)} | {cpu / socket_cpu:.2f} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, and print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--users", type=int, default=32)
    given.add_argument("--rounds", type=int, default=3)
    asked = given.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    with tempfile.TemporaryDirectory(prefix="chatroom-") as folder:
        settings = {"CHATROOM_RATES": "off", "CHATROOM_OPEN_ROOMS": "true"}
        with cluster(1, Path(folder), settings=settings) as nodes:
            key = _new_key(nodes.redis_port)
            found = asyncio.run(compare(nodes, key, asked.users, asked.rounds))
            paced = asyncio.run(beside(nodes, key, asked.users, 2 * asked.rounds))
    print(describe())
    print(table(found))
    print(f"\nDeliveries of {PACED_SENDS} sends/s over sockets, p99 in ms:\n")
    for way, found_ms in paced.items():
        middle = statistics.median(found_ms)
        print(f"- {way}: {middle:.2f} ({min(found_ms):.2f}–{max(found_ms):.2f})")


if __name__ == "__main__":
    main()
