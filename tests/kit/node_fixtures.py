"""Fixtures of the server's tests: one node, or three that share a Redis."""

from collections.abc import AsyncIterator

import pytest

from tests.kit.nodes import Node, run_nodes


@pytest.fixture(params=[1, 3], ids=["one-node", "three-nodes"])
async def nodes(
    request: pytest.FixtureRequest, redis_url: str
) -> AsyncIterator[list[Node]]:
    """Nodes in this process: what holds must hold however many there are."""
    async with run_nodes(request.param, redis_url) as made:
        yield made


@pytest.fixture
async def two(redis_url: str) -> AsyncIterator[list[Node]]:
    """Two nodes in this process."""
    async with run_nodes(2, redis_url) as made:
        yield made


@pytest.fixture
async def three(redis_url: str) -> AsyncIterator[list[Node]]:
    """Three nodes in this process."""
    async with run_nodes(3, redis_url) as made:
        yield made
