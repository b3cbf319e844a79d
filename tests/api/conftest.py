"""Two nodes with tokens, and a client of theirs."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from tests.kit.backend import SECRET
from tests.kit.nodes import Node, run_nodes


@pytest.fixture
async def nodes(redis_url: str) -> AsyncIterator[list[Node]]:
    async with run_nodes(2, redis_url, jwt_secret=SECRET) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session
