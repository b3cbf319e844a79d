"""A client that sends whatever the test wants, frame by frame."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.kit.nodes import NAMESPACE, Node, NodeProcess
from tests.kit.serving import UPGRADE
from tests.kit.waiting import DEADLINE_SECONDS, MS

# The server's heartbeat, and its answer.
PING, PONG = "2", "3"
# A raw client does not insist on the server's farewell.
CLOSE_SECONDS = 100 * MS


class RawChat:
    """A WebSocket that speaks Engine.IO v4 as the test types it."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws
        self._ack_id = 0
        self.received: list[str] = []
        self.hello: dict[str, Any] = {}

    async def send(self, frame: str | bytes) -> None:
        """Send one frame as it is."""
        if isinstance(frame, bytes):
            await self._ws.send_bytes(frame)
        else:
            await self._ws.send_str(frame)

    async def connect(self, auth: object) -> dict[str, Any]:
        """Join the namespace and return what the server answers."""
        await self.send(f"40{NAMESPACE},{json.dumps(auth)}")
        answer = await self.frame(f"40{NAMESPACE},", f"44{NAMESPACE},")
        decoded: dict[str, Any] = json.loads(answer.partition(",")[2])
        if answer.startswith("40"):
            hello = await self.frame(f'42{NAMESPACE},["hello",')
            self.hello = json.loads(hello.partition(",")[2])[1]
        return decoded

    async def ask(self, event_array: str, *attachments: bytes) -> dict[str, Any]:
        """Send a typed event array with an ack id and return the ack."""
        self._ack_id += 1
        kind = f"45{len(attachments)}-" if attachments else "42"
        await self.send(f"{kind}{NAMESPACE},{self._ack_id}{event_array}")
        for attachment in attachments:
            await self.send(attachment)
        prefix = f"43{NAMESPACE},{self._ack_id}["
        answer = await self.frame(prefix)
        decoded: dict[str, Any] = json.loads(answer[len(prefix) - 1 :])[0]
        return decoded

    async def frame(self, *prefixes: str) -> str:
        """Return the next frame that begins so; others are kept in ``received``."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                message = await self._ws.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"closed: {message}"
                if message.data == PING:
                    # On a busy machine a long test outlives the heartbeat's patience.
                    await self.send(PONG)
                elif message.data.startswith(prefixes):
                    return str(message.data)
                self.received.append(message.data)

    async def answered(self, *prefixes: str) -> bool:
        """Wait for a frame that begins so; False if the connection ends instead."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                message = await self._ws.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return False
                if message.data.startswith(prefixes):
                    return True

    def cut(self) -> None:
        """End the connection below the WebSocket, without a farewell."""
        self._ws.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    @property
    def close_code(self) -> int | None:
        """What the server closed the connection with."""
        return self._ws.close_code

    async def closed(self) -> None:
        """Return when the server has closed the connection."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not self._ws.closed:
                await self._ws.receive()


@asynccontextmanager
async def raw_chat(
    node: Node | NodeProcess, auth: object = None, *, address: str | None = None
) -> AsyncIterator[RawChat]:
    """Open a raw connection; with ``auth`` it has joined the namespace.

    Args:
        node: Where to.
        auth: What to join with.
        address: Where a proxy on this machine says that it comes from.
    """
    headers = {"X-Forwarded-For": address} if address else None
    url = f"{node.url}/socket.io/?EIO=4&transport=websocket"
    timeout = aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS)
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, timeout=timeout, headers=headers) as ws,
    ):
        chat = RawChat(ws)
        await chat.frame("0")
        if auth is not None:
            answer = await chat.connect(auth)
            assert "sid" in answer, answer
        yield chat


async def handshake(
    node: Node, transport: str, *, address: str | None = None
) -> tuple[int, str | None]:
    """Ask for a handshake that is to be refused.

    Args:
        node: Where to.
        transport: ``polling`` or ``websocket``.
        address: Where a proxy on this machine says that it comes from.

    Returns:
        Status and ``Retry-After``.
    """
    url = f"{node.url}/socket.io/?EIO=4&transport={transport}"
    headers = {"X-Forwarded-For": address} if address else {}
    if transport == "websocket":
        headers |= UPGRADE
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as said:
        return said.status, said.headers.get("Retry-After")
