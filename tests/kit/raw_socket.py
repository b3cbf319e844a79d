"""A WebSocket client that does as it is told, also what no client should do."""

import asyncio
import base64
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from tests.kit.waiting import DEADLINE_SECONDS

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Frame(NamedTuple):
    """A frame from the server."""

    opcode: int
    payload: bytes

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.payload.decode()

    @property
    def close_code(self) -> int | None:
        """The code of a close frame."""
        if self.opcode != CLOSE or len(self.payload) < 2:
            return None
        code: int = struct.unpack(">H", self.payload[:2])[0]
        return code


def client_frame(
    payload: str | bytes, opcode: int = TEXT, *, fin: bool = True, mask: bool = True
) -> bytes:
    """Return a frame as clients write them."""
    data = payload.encode() if isinstance(payload, str) else payload
    size = len(data)
    bit = 0x80 if mask else 0
    first = (0x80 if fin else 0) | opcode
    if size <= 125:
        header = bytes((first, bit | size))
    elif size <= 0xFFFF:
        header = struct.pack(">BBH", first, bit | 126, size)
    else:
        header = struct.pack(">BBQ", first, bit | 127, size)
    if not mask:
        return header + data
    # A mask of zeros is a mask, and leaves the payload to be read in a dump.
    return header + bytes(4) + data


class RawSocket:
    """An open WebSocket whose bytes are the test's own."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, payload: str | bytes, opcode: int = TEXT) -> None:
        """Write one good frame."""
        self.writer.write(client_frame(payload, opcode))

    async def frame(self) -> Frame:
        """Return the server's next frame."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            assert not second & 0x80, "a server must not mask"
            if size == 126:
                size = struct.unpack(">H", await self.reader.readexactly(2))[0]
            elif size == 127:
                size = struct.unpack(">Q", await self.reader.readexactly(8))[0]
            return Frame(first & 0x0F, await self.reader.readexactly(size))

    async def text(self) -> str:
        """Return the server's next message, which is a text."""
        frame = await self.frame()
        assert frame.opcode == TEXT, frame
        return frame.text

    async def close_code(self) -> int | None:
        """Return the code of the close frame, which comes next."""
        frame = await self.frame()
        assert frame.opcode == CLOSE, frame
        return frame.close_code

    async def close_reason(self) -> str:
        """Return the words of the close frame, which comes next."""
        frame = await self.frame()
        assert frame.opcode == CLOSE, frame
        return frame.payload[2:].decode()

    async def ended(self) -> bool:
        """Return once the server has closed the connection."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                while await self.reader.read(65_536):
                    pass
            except ConnectionError:
                pass
        return True


@asynccontextmanager
async def raw_socket(port: int, path: str, **headers: str) -> AsyncIterator[RawSocket]:
    """Open a WebSocket on a path; fails unless the server accepts it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        yield RawSocket(reader, writer)
    finally:
        writer.close()
