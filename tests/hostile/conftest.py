"""Fixtures of the hostile suite: a node where people talk while somebody misbehaves."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from realtime.node.http_log import BadRequestFilter, quiet_bad_requests
from tests.hostile.board import members_of_board
from tests.hostile.scene import TALK, Scene
from tests.kit.holdings import holdings, redis_keys, returns_to
from tests.kit.logs import check_log
from tests.kit.members import Member
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import RawChat, raw_chat
from tests.kit.recording import recording
from tests.kit.redis_server import RedisServer


@pytest.fixture
def _log_as_a_node(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Log as a node process does, and capture it."""
    quiet_bad_requests()
    caplog.set_level(logging.WARNING)
    yield
    logger = logging.getLogger("aiohttp.server")
    for each in list(logger.filters):
        if isinstance(each, BadRequestFilter):
            logger.removeFilter(each)


@pytest.fixture
def clean_log(
    _log_as_a_node: None, caplog: pytest.LogCaptureFixture
) -> Iterator[pytest.LogCaptureFixture]:
    """Whatever strangers send, the log holds no traceback and no error of ours."""
    yield caplog
    check_log(caplog)


@pytest.fixture
def node_settings() -> dict[str, Any]:
    """Settings of the scene's node; a module may have its own."""
    return {}


@pytest.fixture
async def scene(
    redis_server: RedisServer,
    clean_log: pytest.LogCaptureFixture,
    node_settings: dict[str, Any],
) -> AsyncIterator[Scene]:
    """The scene; at its end people still talk, and nothing has grown."""
    async with (
        run_nodes(1, redis_server.url, **node_settings) as (node,),
        recording(node, "ann") as ann,
        recording(node, "bob") as bob,
    ):
        for client in (ann, bob):
            await client.do("join", {"room": TALK})
        keys = redis_keys(redis_server.admin, without=[TALK.encode()])
        scene = Scene(node, redis_server, ann, bob, holdings(node), keys)
        await scene.goes_on()
        yield scene
        await scene.goes_on()
        await returns_to(node, scene.before)


@pytest.fixture
async def mallory(scene: Scene) -> AsyncIterator[RawChat]:
    """A member of the people's room, who is to be only that; at the end they quit."""
    async with raw_chat(scene.node, {"user": "mallory"}) as chat:
        assert (await chat.ask(json.dumps(["join", {"room": TALK}])))["ok"]
        yield chat
        assert (await chat.ask(json.dumps(["quit", {"room": TALK}])))["ok"]


@pytest.fixture
async def nodes(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> AsyncIterator[list[Node]]:
    """Three nodes; what is denied at one is denied at all."""
    async with run_nodes(3, redis_url) as made:
        yield made


@pytest.fixture
async def board(nodes: list[Node]) -> AsyncIterator[list[Member]]:
    """Ann and Bob in a room, at two nodes."""
    async with members_of_board(nodes) as made:
        yield made
