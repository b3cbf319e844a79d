"""A rush: many who come in the same moment, and a node that has no time for them."""

import asyncio
from contextlib import AsyncExitStack

from tests.kit.nodes import HOST, run_process
from tests.kit.waiting import DEADLINE_SECONDS

# More than any usual backlog of a socket, 128 for one.
RUSH = 600


async def test_connections_wait_while_the_node_is_busy(redis_url: str) -> None:
    """Nobody has to knock twice: the second time is a second later, the third three."""
    async with (
        run_process("--redis-url", redis_url) as node,
        AsyncExitStack() as stack,
        asyncio.timeout(DEADLINE_SECONDS),
    ):
        node.pause()
        try:
            together = [asyncio.open_connection(HOST, node.port) for _ in range(RUSH)]
            for _reader, writer in await asyncio.gather(*together):
                stack.callback(writer.close)
        finally:
            node.resume()
