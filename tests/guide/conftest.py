"""The scene of every guide test: one node, and two people who may meet there."""

from collections.abc import AsyncIterator

import pytest

from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import RecordingClient, recording


@pytest.fixture
async def node(redis_url: str) -> AsyncIterator[Node]:
    """A node in development mode: whoever connects is whom they say."""
    async with run_nodes(1, redis_url) as (node,):
        yield node


@pytest.fixture
async def ann(node: Node) -> AsyncIterator[RecordingClient]:
    """Ann, connected to ``/chat``; every ack and broadcast she gets is checked."""
    async with recording(node, "ann") as client:
        yield client


@pytest.fixture
async def anns_phone(node: Node) -> AsyncIterator[RecordingClient]:
    """Ann, on a second device."""
    async with recording(node, "ann") as client:
        yield client


@pytest.fixture
async def bob(node: Node) -> AsyncIterator[RecordingClient]:
    """Bob, likewise."""
    async with recording(node, "bob") as client:
        yield client
