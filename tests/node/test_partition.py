"""A node that is cut off from Redis without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from socketio import AsyncClient

from tests.kit.nodes import NAMESPACE, Node, client, run_nodes
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until
from verify.harness.proxy import FaultProxy, Line

ROOM = "partition"
# What is promised to users and operators; see docs/reliability.md.
NOTICED_SECONDS = 3_000 * MS
ANSWERED_SECONDS = 5_000 * MS


@asynccontextmanager
async def node_behind_a_line(
    redis_server: RedisServer, folder: Path
) -> AsyncIterator[tuple[Node, FaultProxy]]:
    server = redis_server.url.removeprefix("unix://")
    line = FaultProxy(partial(asyncio.open_unix_connection, server))
    await line.listen_unix(folder / "line")
    try:
        async with run_nodes(1, f"unix://{folder / 'line'}") as [node]:
            yield node, line
    finally:
        await line.aclose()


async def is_ready(node: Node) -> bool:
    async with ClientSession() as http, http.get(f"{node.url}/readyz") as answer:
        return answer.status == 200


async def joined(member: AsyncClient) -> list[str]:
    """Join the room; return a list that the messages' ids come into."""
    seen: list[str] = []
    member.on("message", lambda event: seen.append(event["clientId"]), NAMESPACE)
    await member.call("join", {"room": ROOM}, namespace=NAMESPACE)
    return seen


def text(client_id: str) -> dict[str, object]:
    return {"room": ROOM, "clientId": client_id, "type": "text", "text": client_id}


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a path that is short enough for a socket."""
    return tmp_path_factory.mktemp("p")


async def test_a_silent_partition_is_noticed_and_heals(
    redis_server: RedisServer, folder: Path
) -> None:
    """The node says that it is not ready; a message of the outage arrives once."""
    async with (
        node_behind_a_line(redis_server, folder) as (node, line),
        client(node, "ann") as ann,
    ):
        seen = await joined(ann)
        await ann.call("send", text("before"), namespace=NAMESPACE)
        line.set_line(Line(swallowing=True))

        async def noticed() -> bool:
            return not await is_ready(node)

        await wait_until(noticed, "the node is not ready", seconds=NOTICED_SECONDS)
        line.set_line(Line())
        await wait_until(partial(is_ready, node), "the node is ready again")
        ack = await ann.call("send", text("after"), namespace=NAMESPACE)
        assert ack["ok"], ack
        await wait_until(lambda: "after" in seen, "the message arrives")
        assert seen == ["before", "after"]


async def test_a_send_in_a_partition_is_answered(
    redis_server: RedisServer, folder: Path
) -> None:
    """With a temporary error, in time; the same clientId is safe to send again."""
    async with (
        node_behind_a_line(redis_server, folder) as (node, line),
        client(node, "ann") as ann,
    ):
        seen = await joined(ann)
        line.set_line(Line(swallowing=True))
        ack: dict[str, Any] = await ann.call(
            "send", text("one"), namespace=NAMESPACE, timeout=ANSWERED_SECONDS
        )
        assert ack["error"]["code"] in ("unknown", "unavailable")
        assert ack["error"]["temporary"] is True
        line.set_line(Line())

        async def sent() -> bool:
            again = await ann.call("send", text("one"), namespace=NAMESPACE)
            return bool(again["ok"])

        await wait_until(sent, "the message is sent")
        await wait_until(lambda: seen, "the message arrives")
        assert seen == ["one"]
