"""A node's lines to a group under Sentinels: one to each server and each Sentinel.

What the Sentinels answer is changed on the way: each server's port becomes that of the
node's own line to it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from verify.harness.proxy import FaultProxy, Streams
from verify.harness.sentinel import SentinelGroup, sentinel_url

Translate = Callable[[bytes], bytes]


async def open_lines(group: SentinelGroup) -> tuple[str, list[FaultProxy]]:
    """Open the lines of one node; return the address that it uses, and the lines."""
    own_ports: dict[int, int] = {}

    def translate(answer: bytes) -> bytes:
        for port, own in own_ports.items():
            answer = answer.replace(_word(port), _word(own))
        return answer

    lines = []
    for port in group.ports:
        line = FaultProxy(partial(asyncio.open_connection, "127.0.0.1", port))
        own_ports[port] = await line.listen_tcp()
        lines.append(line)
    sentinels = [
        FaultProxy(partial(_ask, port, translate)) for port in group.sentinel_ports
    ]
    url = sentinel_url([await line.listen_tcp() for line in sentinels])
    return url, lines + sentinels


async def _ask(port: int, translate: Translate) -> Streams:
    loop = asyncio.get_running_loop()
    reader = _Translating(translate)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Translating(asyncio.StreamReader):
    """Changes what is read; an answer of a Sentinel comes in one piece."""

    def __init__(self, translate: Translate) -> None:
        super().__init__()
        self._translate = translate

    async def read(self, n: int = -1) -> bytes:
        return self._translate(await super().read(n))


def _word(port: int) -> bytes:
    """Return a port as Redis sends it: its length, and its digits."""
    return b"\r\n$%d\r\n%d\r\n" % (len(str(port)), port)
