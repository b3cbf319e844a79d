"""Limits with several workers: each has its scope, and those of all are of all."""

import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import socketio

from realtime.limits import LIMITS
from tests.kit.nodes import client
from tests.kit.waiting import wait_until
from tests.workers.crew import PATH, crew, line, request

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
PROXIED = "198.51.100.7"


def test_each_limit_has_its_scope() -> None:
    """Whoever adds a limit says what becomes of it where there are several workers."""
    section = PAGE.read_text().partition("## With several workers")[2]
    rows = [line.split(" | ")[1] for line in section.splitlines() if line[:2] == "| "]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(named) == len(set(named))
    assert set(named) == set(LIMITS)


async def test_an_address_has_no_more_connections_than_with_one_node(
    redis_url: str,
) -> None:
    """Whichever workers they reach; and as many again when they have gone."""
    variables = {"CHATROOM_ADDRESS_UNAUTHENTICATED": "10"}
    asked = request("GET", PATH.format("polling"), headers={"X-Forwarded-For": PROXIED})
    with crew(redis_url, variables=variables) as three:

        async def handshakes() -> list[int]:
            found = []
            for _ in range(20):
                async with line(three.node.port) as one:
                    one.write(asked)
                    found.append((await one.answer())[0])
            return found

        assert sorted(await handshakes()) == [200] * 10 + [429] * 10


async def test_a_user_has_no_more_sessions_than_with_one_node(redis_url: str) -> None:
    """Whichever workers they reach; a place is free again when one has gone."""
    variables = {"CHATROOM_USER_SESSIONS": "6"}
    with crew(redis_url, variables=variables) as three:
        async with AsyncExitStack() as stack:

            async def connect() -> socketio.AsyncClient:
                return await stack.enter_async_context(client(three.node, "ann"))

            connected = [await connect() for _ in range(6)]
            assert len((await three.numbers("chatroom_sessions")).values()) == 3
            with pytest.raises(socketio.exceptions.ConnectionError):
                await connect()
            await connected[0].disconnect()

            async def is_free() -> bool:
                return sum((await three.numbers("chatroom_sessions")).values()) == 5

            await wait_until(is_free, "one has gone")
            await connect()
