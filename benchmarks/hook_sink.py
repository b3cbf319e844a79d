"""An application that takes webhooks and does nothing else: counts, and how late."""

import asyncio
import json
import re
import sys
import time

HEAD_END = b"\r\n\r\n"
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
AT = re.compile(rb'"at":(\d+)\}\}$')
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Sink(asyncio.Protocol):
    """One connection; all share the numbers.

    Attributes:
        late_ms: From when an event was stored to its arrival, of each.
        arrived: When each came, in seconds.
    """

    late_ms: list[int] = []  # noqa: RUF012 - of all connections
    arrived: list[float] = []  # noqa: RUF012

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with nothing read."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is all there."""
        self._buffer += data
        while (end := self._buffer.find(HEAD_END)) >= 0:
            head = self._buffer[:end]
            length = LENGTH.search(head)
            size = end + len(HEAD_END) + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                return
            body, self._buffer = self._buffer[end + 4 : size], self._buffer[size:]
            if head.startswith(b"GET"):
                self._tell()
                continue
            at = AT.search(body)
            if at is not None:
                self.late_ms.append(round(time.time() * 1000) - int(at[1]))
                self.arrived.append(time.time())
            self._transport.write(ANSWER)

    def _tell(self) -> None:
        late = sorted(self.late_ms)
        seconds = self.arrived[-1] - self.arrived[0] if self.arrived else 0.0
        told = {
            "count": len(late),
            "a_second": round(len(late) / seconds) if seconds else 0,
            "p50_ms": late[len(late) // 2] if late else 0,
            "p99_ms": late[len(late) * 99 // 100] if late else 0,
        }
        body = json.dumps(told).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        self._transport.write(head + body)


async def serve(port: int) -> None:
    """Take webhooks until cancelled."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
