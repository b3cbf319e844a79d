"""Fixtures of the whole suite: a real Valkey, and no task left behind."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from tests.kit.redis_server import RedisServer
from tests.kit.spread_redis import SpreadRedis
from tests.kit.waiting import DEADLINE_SECONDS, MS_SCALE

pytest_plugins = ("tests.kit.node_fixtures", "tests.kit.store_fixtures")

# Keys that may stay without an expiry, by what they end with: what rooms and users
# are, and what a killed node leaves for the others to sweep.
KEPT_KEYS = (
    *(":keys", ":staff", ":bans", ":blocks"),
    *(":log", ":messages", ":meta", ":lastRead", ":members", ":rooms", ":memberIds"),
    *(":deleted", ":reactions", ":reactors", ":pins", ":mentions", ":mentionsAll"),
    *(":mine", ":media"),
)
# What endpoints of webhooks are to be told.
HOOK_KEYS = (
    *(":hooks", ":outbox", ":pushes"),
    *(":queue", ":dead", ":later", ":tries", ":state"),
)
# Jobs that wait or run, and those that are known.
JOB_KEYS = (":due", ":known")
# What is known of images goes with the last message that shows them.
IMAGE_KEYS = (":uses", ":due", ":bytes")
SWEPT_KEYS = (":sessions", ":online", ":nodes", ":secret", ":durable")


def pytest_xdist_auto_num_workers() -> int:
    """Return the workers of ``-n auto``: a third of what tests do is to wait."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


# Alike in every run and everywhere, and without a clock: a busy machine is no defect.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")
# As in this process: whoever starts another one is told of what is deprecated there.
os.environ["PYTHONWARNINGS"] = "error"


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Scale the deadline of each test as all other times."""
    for item in items:
        mark = item.get_closest_marker("timeout")
        seconds = float(mark.args[0] if mark else config.getini("timeout"))
        item.add_marker(pytest.mark.timeout(seconds * MS_SCALE), append=False)


@pytest.fixture(scope="session")
def _worker_redis() -> Iterator[RedisServer]:
    """One server a test process, or what TEST_REDIS says: tests never overlap."""
    if kind := os.environ.get("TEST_REDIS"):
        server: Any = SpreadRedis(kind)
    else:
        server = RedisServer("--enable-debug-command", "yes")
        server.start()
    yield server
    server.close()


@pytest.fixture
def redis_server(_worker_redis: RedisServer) -> Iterator[RedisServer]:
    """A running, empty Valkey; the test may kill or pause it.

    With TEST_REDIS it is what that names, and tests that do so are skipped.

    The test fails when it leaves keys that nothing would ever remove.
    """
    _worker_redis.reset()
    yield _worker_redis
    leaked = [
        key
        for key in _worker_redis.keys_without_expiry()
        if not key.endswith(KEPT_KEYS + HOOK_KEYS + JOB_KEYS + IMAGE_KEYS + SWEPT_KEYS)
    ]
    assert not leaked, f"keys without an expiry were left: {leaked}"


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Valkey."""
    return redis_server.url


@pytest.fixture
async def redis_client(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """A plain client with decoded answers: what ``redis-cli`` would see."""
    async with redis_server.client() as client:
        yield client


@pytest.fixture(autouse=True)
async def _no_task_left() -> AsyncIterator[None]:
    """Fail a test that leaves a task running: every task has an owner."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        # A cancelled task needs a few turns of the loop; a leaked one never ends.
        _ended, left = await asyncio.wait(left, timeout=DEADLINE_SECONDS)
    if left:
        stacks = "\n".join(f"{task.get_name()}: {task.get_coro()}" for task in left)
        pytest.fail(f"tasks left behind:\n{stacks}")
