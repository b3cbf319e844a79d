"""An application, nodes that tell it what happens, and shorter waits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realtime.outbound import breaker
from realtime.store import outbox
from realtime.webhooks import calls, deliveries, delivery, follower, push, registry
from tests.kit.hook_receiver import LOOPBACK, HookReceiver, hook_receiver
from tests.kit.nodes import Node, run_nodes
from tests.kit.waiting import MS


@pytest.fixture
async def app() -> AsyncIterator[HookReceiver]:
    """An application that takes everything."""
    async with hook_receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all waits of webhooks be a small part of what they are."""
    monkeypatch.setattr(registry, "REFRESH_SECONDS", 50 * MS)
    monkeypatch.setattr(deliveries, "LOOK_SECONDS", 50 * MS)
    monkeypatch.setattr(deliveries, "LEASE_MS", round(1_000_000 * MS))
    monkeypatch.setattr(follower, "LOOK_SECONDS", 50 * MS)
    monkeypatch.setattr(outbox, "LOOK_MS", round(1_000_000 * MS))
    monkeypatch.setattr(outbox, "FRESH_SECONDS", 500 * MS)
    monkeypatch.setattr(delivery, "ORDER_RETRY_SECONDS", 50 * MS)
    monkeypatch.setattr(delivery, "ORDER_SECONDS", 2_500 * MS)
    monkeypatch.setattr(delivery, "WAITS_SECONDS", (300 * MS, 300 * MS))
    monkeypatch.setattr(delivery, "DUE_SECONDS", 50 * MS)
    monkeypatch.setattr(calls, "CALL_SECONDS", 500 * MS)
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 100 * MS)
    monkeypatch.setattr(push, "LOOK_SECONDS", 50 * MS)
    monkeypatch.setattr(push, "HOLD_MS", round(200_000 * MS))


@pytest.fixture
def hooks_file(app: HookReceiver, tmp_path: Path) -> Path:
    """A file of endpoints with the application."""
    path = tmp_path / "hooks.toml"
    path.write_text(app.file())
    return path


@pytest.fixture
async def two(hooks_file: Path, redis_url: str) -> AsyncIterator[list[Node]]:
    """Two nodes that tell it, and know that they are to."""
    async with run_nodes(
        2, redis_url, hooks_file=hooks_file, hook_allow=LOOPBACK
    ) as nodes:
        yield nodes
