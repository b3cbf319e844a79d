"""A node's ways to Redis, each through lines that can be spoilt."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from verify.proxy import Direction, FaultProxy, Line, Streams
from verify.sentinel_group import SentinelGroup, sentinel_url


class RedisLine(Protocol):
    """What a fault can do to a node's way to Redis; as of :class:`FaultProxy`."""

    async def set_line(self, line: Line) -> None:
        """Change how the line is."""

    def reset(self) -> int:
        """Reset all connections and return how many there were."""

    async def cut_in_mid_frame(self, direction: Direction) -> None:
        """Cut each connection half way through the next bytes that it carries."""


class RedisWay(Protocol):
    """A node's way to Redis."""

    @property
    def line(self) -> RedisLine:
        """What can be spoilt."""

    async def open(self) -> str:
        """Open it and return the address that the node uses."""

    async def aclose(self) -> None:
        """Close it."""


class SocketWay:
    """To one server on a unix socket.

    Args:
        socket: Of the server.
        own_socket: To listen on, for the node.
    """

    def __init__(self, socket: Path, own_socket: Path) -> None:
        self._own_socket = own_socket
        self.line = FaultProxy(partial(asyncio.open_unix_connection, socket))

    async def open(self) -> str:
        """Listen, and return the address."""
        await self.line.listen_unix(self._own_socket)
        return f"unix://{self._own_socket}"

    async def aclose(self) -> None:
        """Close the line."""
        await self.line.aclose()


class SentinelWay:
    """To all servers and Sentinels of a group, each through a line of its own.

    What the Sentinels answer is changed on the way: each server's port becomes that of
    the node's own line to it.

    Args:
        group: Servers and Sentinels.
    """

    def __init__(self, group: SentinelGroup) -> None:
        self._ports: dict[int, int] = {}
        self._servers = {port: _tcp_line(port) for port in group.ports}
        self._sentinels = [
            FaultProxy(partial(self._ask, port)) for port in group.sentinel_ports
        ]
        self.line = Bundle([*self._servers.values(), *self._sentinels])

    async def open(self) -> str:
        """Listen, and return the address."""
        for port, line in self._servers.items():
            self._ports[port] = await line.listen_tcp()
        return sentinel_url([await line.listen_tcp() for line in self._sentinels])

    async def aclose(self) -> None:
        """Close all lines."""
        await self.line.aclose()

    async def _ask(self, port: int) -> Streams:
        loop = asyncio.get_running_loop()
        reader = _Translating(self._translate)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _translate(self, answer: bytes) -> bytes:
        for port, own in self._ports.items():
            answer = answer.replace(_word(port), _word(own))
        return answer


class Bundle:
    """Several lines that are spoilt together.

    Args:
        lines: All of them.
    """

    def __init__(self, lines: Sequence[FaultProxy]) -> None:
        self._lines = tuple(lines)

    async def set_line(self, line: Line) -> None:
        """Change how all lines are."""
        for each in self._lines:
            await each.set_line(line)

    def reset(self) -> int:
        """Reset all connections and return how many there were."""
        return sum(each.reset() for each in self._lines)

    async def cut_in_mid_frame(self, direction: Direction) -> None:
        """Cut each connection half way through the next bytes that it carries."""
        await asyncio.gather(
            *(each.cut_in_mid_frame(direction) for each in self._lines)
        )

    async def aclose(self) -> None:
        """Close all lines."""
        for each in self._lines:
            await each.aclose()


class _Translating(asyncio.StreamReader):
    """Changes what is read; an answer of a Sentinel comes in one piece."""

    def __init__(self, translate: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._translate = translate

    async def read(self, n: int = -1) -> bytes:
        return self._translate(await super().read(n))


def _tcp_line(port: int) -> FaultProxy:
    connect: Callable[[], Awaitable[Streams]]
    connect = partial(asyncio.open_connection, "127.0.0.1", port)
    return FaultProxy(connect)


def _word(port: int) -> bytes:
    """Return a port as Redis sends it: its length, and its digits."""
    return b"\r\n$%d\r\n%d\r\n" % (len(str(port)), port)
