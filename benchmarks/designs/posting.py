"""Members who send by POST, and receive by sockets or by asking."""

import asyncio
from itertools import count
from typing import Any

import orjson
from aiohttp import ClientSession

from benchmarks.designs.members import ChatMember, Heard, carried, chat_url
from benchmarks.tokens import token

POLL_SECONDS = 1.0
# What the server's `retryAfter` says when it is busy.
BUSY_SECONDS = 0.5
MOST_ASKED = 20


class Line:
    """An HTTP connection that is kept; one request at a time.

    Args:
        port: The server's.
        user: Whose token it brings.
    """

    def __init__(self, port: int, user: str) -> None:
        self._port = port
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {token(user)}\r\n"
        self._turn = asyncio.Lock()
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port
        )

    async def ask(self, line: str, more: str = "", body: bytes = b"") -> Any:
        """Return what a request is answered with; ask again when the server is busy."""
        for _ in range(MOST_ASKED):
            if (said := await self._ask(line, more, body)) is not None:
                return said
            await asyncio.sleep(BUSY_SECONDS)
        raise RuntimeError("the server stays busy")

    async def _ask(self, line: str, more: str, body: bytes) -> Any:
        async with self._turn:
            assert self._writer is not None
            assert self._reader is not None
            sized = f"Content-Length: {len(body)}\r\n" if body else ""
            head = f"{line} HTTP/1.1\r\n{self._head}{more}{sized}\r\n"
            self._writer.write(head.encode() + body)
            answer = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            length = answer.lower().partition("content-length: ")[2].partition("\r")[0]
            said = await self._reader.readexactly(int(length))
            if answer.startswith("HTTP/1.1 503"):
                return None
            if not answer.startswith("HTTP/1.1 20"):
                raise RuntimeError(answer + said.decode())
            return orjson.loads(said)

    def wire_bytes(self) -> int:
        """Return what it carried both ways."""
        if self._writer is None:
            return 0
        return carried(self._writer.get_extra_info("socket"))

    def close(self) -> None:
        """End the connection at once."""
        if self._writer is not None:
            self._writer.transport.abort()


class _Posting:
    """Sends by POST.

    Args:
        port: The server's.
        room: The room's name.
        user: The member's.
    """

    def __init__(self, port: int, room: str, user: str) -> None:
        self.room, self.user = room, user
        self._ids = count(1)
        self.line = Line(port, user)

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        key = f"Idempotency-Key: {self.user}-{next(self._ids)}\r\n"
        await self.line.ask(
            f"POST /api/chats/{self.room}/message",
            f"{key}Content-Type: application/json\r\n",
            orjson.dumps({"text": text}),
        )


class PostingChatMember(ChatMember):
    """Sends by POST, receives by this server's sockets."""

    def __init__(
        self, http: ClientSession, port: int, room: str, user: str, heard: Heard
    ) -> None:
        super().__init__(http, chat_url(port), room, user, heard)
        self._posting = _Posting(port, room, user)

    async def enter(self) -> None:
        """Come in, or come back."""
        await self._posting.line.open()
        await super().enter()

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        await self._posting.send(text)

    async def cut(self) -> None:
        """Lose the connection."""
        self._posting.line.close()
        await super().cut()

    def wire_bytes(self) -> int:
        """Return what was carried both ways."""
        return super().wire_bytes() + self._posting.line.wire_bytes()

    async def leave(self) -> None:
        """End."""
        self._posting.line.close()
        await super().leave()


class PollingMember:
    """Sends by POST, and asks once a second for what is new.

    Args:
        http: Joins the room, once, by a socket.
        port: The server's.
        room: The room's name.
        user: The member's.
        delay: Seconds until the first time: not all ask at once.
        heard: Given the member and the text of each message.
    """

    def __init__(
        self,
        http: ClientSession,
        port: int,
        room: str,
        user: str,
        *,
        delay: float,
        heard: Heard,
    ) -> None:
        self.user = user
        self._joining: ChatMember | None = ChatMember(
            http, chat_url(port), room, user, lambda _user, _text: None
        )
        self._room, self._delay, self._heard = room, delay, heard
        self._posting = _Posting(port, room, user)
        self._line = Line(port, user)
        self._newest = 0
        self._asking: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Come in, or come back."""
        if self._joining is not None:
            await self._joining.enter()
            await self._joining.leave()
            self._joining = None
        await self._posting.line.open()
        await self._line.open()
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        due = asyncio.get_running_loop().time() + self._delay
        path = f"GET /api/chats/{self._room}/messages?limit=100&after="
        while True:
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            due += POLL_SECONDS
            for each in (await self._line.ask(f"{path}{self._newest}"))["messages"]:
                self._newest = max(self._newest, each["message"])
                self._heard(self.user, each["text"])

    async def send(self, text: str) -> None:
        """Send, until it is taken."""
        await self._posting.send(text)

    async def cut(self) -> None:
        """Lose the connection."""
        await self.leave()

    def wire_bytes(self) -> int:
        """Return what was carried both ways."""
        return self._line.wire_bytes() + self._posting.line.wire_bytes()

    async def leave(self) -> None:
        """End."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        self._line.close()
        self._posting.line.close()
