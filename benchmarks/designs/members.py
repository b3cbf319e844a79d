"""Members by each design: they send, take what comes, are cut off and come back."""

import asyncio
import json
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Protocol

import orjson
from aiohttp import ClientError, ClientSession, ClientWebSocketResponse

from benchmarks.tokens import token

# Linux's struct tcp_info: `tcpi_bytes_acked` and, behind it, `tcpi_bytes_received`.
_BYTES_AT, _TCP_INFO_BYTES = 120, 136

Heard = Callable[[str, str], None]


class Member(Protocol):
    """Somebody in one room.

    Attributes:
        user: Their id.
    """

    user: str

    async def enter(self) -> None:
        """Come in, or come back after a cut."""

    async def send(self, text: str) -> None:
        """Send, until the server has taken it as far as its design tells."""

    async def cut(self) -> None:
        """Lose the connection."""

    def wire_bytes(self) -> int:
        """Return what its connections carried both ways, without TCP's heads."""

    async def leave(self) -> None:
        """End."""


def carried(connection: Any) -> int:
    """Return the bytes that a socket carried both ways, without TCP's heads."""
    if connection is None:
        return 0
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    sent, received = struct.unpack_from("=QQ", info, _BYTES_AT)
    return int(sent + received)


class _Socket(ABC):
    """A WebSocket whose frames are read by a task.

    Args:
        http: Makes the connection.
        url: Where.
        room: The room's name.
        user: The member's.
        heard: Given the member and the text of each message.
    """

    protocols: tuple[str, ...] = ()

    def __init__(
        self, http: ClientSession, url: str, room: str, user: str, heard: Heard
    ) -> None:
        self._http, self._url, self._heard = http, url, heard
        self.room, self.user = room, user
        self._acked: dict[str, asyncio.Future[None]] = {}
        self._entered = asyncio.Event()
        self._ids = count(2)
        self._ws: ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Come in, or come back."""
        self._entered.clear()
        self._ws = await self._http.ws_connect(
            self._url, protocols=self.protocols, autoping=True
        )
        self._reading = asyncio.create_task(self._read(self._ws))
        await self.hello()
        await self._entered.wait()

    async def _read(self, ws: ClientWebSocketResponse) -> None:
        with suppress(ClientError, ConnectionError):
            async for frame in ws:
                data = frame.data
                await self.take(data if isinstance(data, str) else data.decode())

    async def say(self, frame: str) -> None:
        """Send a frame."""
        assert self._ws is not None
        await self._ws.send_str(frame)

    async def acked(self, name: str, frame: str) -> None:
        """Send a frame, until its ack is here."""
        answered = self._acked[name] = asyncio.get_running_loop().create_future()
        await self.say(frame)
        await answered

    def ack(self, name: str) -> None:
        """Take an ack."""
        self._acked.pop(name).set_result(None)

    @abstractmethod
    async def hello(self) -> None:
        """Say who one is, and where to."""

    @abstractmethod
    async def take(self, frame: str) -> None:
        """Take a frame."""

    async def cut(self) -> None:
        """Lose the connection."""
        assert self._ws is not None
        assert self._reading is not None
        self._ws.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        await self._reading
        await self._ws.close()

    def wire_bytes(self) -> int:
        """Return what was carried both ways."""
        return 0 if self._ws is None else carried(self._ws.get_extra_info("socket"))

    async def leave(self) -> None:
        """End."""
        if self._ws is not None and self._reading is not None:
            await self._ws.close()
            await self._reading


class PlainMember(_Socket):
    """On the server of :mod:`benchmarks.designs.plain_socket`."""

    async def hello(self) -> None:
        """Say nothing: the address has said it."""

    async def take(self, frame: str) -> None:
        """Take a frame."""
        said = orjson.loads(frame)
        if "joined" in said:
            self._entered.set()
        elif "ack" in said:
            self.ack(said["ack"])
        else:
            self._heard(self.user, said["text"])

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        name = f"{self.user}-{next(self._ids)}"
        await self.acked(name, orjson.dumps({"clientId": name, "text": text}).decode())


class StompMember(_Socket):
    """On a broker that speaks STOMP over WebSocket, by a topic a room."""

    protocols = ("v12.stomp",)

    async def hello(self) -> None:
        """Say who one is, and where to."""
        await self.say("CONNECT\naccept-version:1.2\nlogin:guest\npasscode:guest\n\n\0")

    async def take(self, frame: str) -> None:
        """Take a frame."""
        head, _, body = frame.lstrip("\n").partition("\n\n")
        command, *headers = head.split("\n")
        if command == "CONNECTED":
            topic = f"destination:/topic/{self.room}"
            await self.say(f"SUBSCRIBE\nid:0\n{topic}\nreceipt:entered\n\n\0")
        elif command == "RECEIPT":
            name = headers[0].partition(":")[2]
            self._entered.set() if name == "entered" else self.ack(name)
        elif command == "MESSAGE":
            self._heard(self.user, orjson.loads(body.rstrip("\0\n"))["text"])
        elif command == "ERROR":
            raise RuntimeError(frame)

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        name = f"{self.user}-{next(self._ids)}"
        body = json.dumps({"user": self.user, "text": text})
        head = f"SEND\ndestination:/topic/{self.room}\nreceipt:{name}"
        await self.acked(name, f"{head}\n\n{body}\0")


class ChatMember(_Socket):
    """On this server, by its sockets alone."""

    cursor: str | None = None

    async def hello(self) -> None:
        """Say who one is, and where to."""
        await self.say(f"40/chat,{json.dumps({'token': token(self.user)})}")

    async def take(self, frame: str) -> None:
        """Take a frame."""
        if frame == "2":
            await self.say("3")
        elif frame.startswith("40/chat,"):
            ask = {"room": self.room}
            if self.cursor is not None:
                ask["cursor"] = self.cursor
            await self.say(f'42/chat,1["join",{json.dumps(ask)}]')
        elif frame.startswith("43/chat,"):
            number, _, said = frame.removeprefix("43/chat,").partition("[")
            (answer,) = orjson.loads("[" + said)
            if not answer["ok"]:
                raise RuntimeError(frame)
            if number == "1":
                self._joined(answer)
            else:
                self.ack(number)
        elif frame.startswith('42/chat,["message",'):
            _, event = orjson.loads(frame.removeprefix("42/chat,"))
            self._show(event)

    def _joined(self, answer: Any) -> None:
        is_back, self.cursor = self.cursor is not None, answer["cursor"]
        for name, event in answer["events"] if is_back else ():
            if name == "message":
                self._show(event)
        self._entered.set()

    def _show(self, event: Any) -> None:
        self.cursor = f"{event['offset']}:{event['uid']}"
        self._heard(self.user, event["text"])

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        number = str(next(self._ids))
        said = {"room": self.room, "clientId": f"{self.user}-{number}"}
        said |= {"type": "text", "text": text}
        await self.acked(number, f'42/chat,{number}["send",{json.dumps(said)}]')


def chat_url(port: int) -> str:
    """Return where this server's sockets are."""
    return f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
