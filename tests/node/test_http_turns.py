"""Plain HTTP of strangers has its share; operators and users do not wait behind it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from realtime.node import from_settings
from tests.kit.metrics import limits_met
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import recording
from tests.kit.waiting import MS, wait_until

PROXIED = {"X-Forwarded-For": "198.51.100.7"}
OTHERS = {"X-Forwarded-For": "203.0.113.9"}
AT_ONCE = 2


@asynccontextmanager
async def exhausted(
    node: Node, http: aiohttp.ClientSession, path: str
) -> AsyncIterator[None]:
    """Ask for so much, as a stranger behind a proxy, that one has to wait."""

    async def ask() -> None:
        async with http.get(node.url + path, headers=PROXIED):
            pass

    asked = [asyncio.create_task(ask()) for _ in range(5 * AT_ONCE + 3)]
    try:
        await wait_until(lambda: limits_met(node).get("attempts"), "one waits")
        yield
    finally:
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


@pytest.fixture
async def node(
    redis_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Node]:
    monkeypatch.setattr(from_settings, "ATTEMPTS_A_SECOND", 0.001)
    monkeypatch.setattr(from_settings, "ATTEMPTS_AT_ONCE", AT_ONCE)
    async with run_nodes(1, redis_url, data_dir=tmp_path) as (made,):
        yield made


@pytest.mark.parametrize(
    "path", ["/", "/assets/none.js", "/nothing", "/api/me/chats", "/readyz", "/metrics"]
)
async def test_whatever_strangers_ask_for(node: Node, path: str) -> None:
    """It has turns; a user's session, an operator on this machine do not wait."""
    async with (
        recording(node, "ann") as ann,
        aiohttp.ClientSession() as http,
        exhausted(node, http, path),
    ):
        await ann.do("join", {"room": "42"})
        for probe in ("/healthz", "/readyz", "/metrics", "/readyz/"):
            async with http.get(node.url + probe) as answer:
                assert answer.status == 200


async def test_who_proves_who_they_are_takes_nothing(node: Node) -> None:
    """The API with a token, and images by their addresses; then strangers have all."""
    image = {"room": "42", "clientId": "1", "type": "image", "image": picture("PNG")}
    async with recording(node, "ann") as ann, aiohttp.ClientSession() as http:
        await ann.do("join", {"room": "42"})
        await ann.do("send", image)
        url = node.url + (await ann.next("message"))["image"]["url"]
        for _ in range(20 * AT_ONCE):
            async with http.get(url, headers=OTHERS) as answer:
                assert answer.status == 200
            user = {**OTHERS, "X-Chat-User": "ann"}
            async with http.get(f"{node.url}/api/me/chats", headers=user) as answer:
                assert answer.status == 200
        assert not limits_met(node)
        async with (
            exhausted(node, http, "/"),
            http.get(url, headers=OTHERS) as answer,
        ):
            assert answer.status == 200, "from there somebody known has asked"


async def test_who_waits_does_not_hold_up_the_end(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told at once that it is not their turn any more."""
    monkeypatch.setattr(from_settings, "ATTEMPTS_A_SECOND", 0.001)
    monkeypatch.setattr(from_settings, "ATTEMPTS_AT_ONCE", AT_ONCE)
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:
        (node,) = await stack.enter_async_context(run_nodes(1, redis_url))

        async def ask() -> int:
            async with http.get(node.url, headers=PROXIED) as answer:
                return answer.status

        asked = [asyncio.create_task(ask()) for _ in range(5 * AT_ONCE + 3)]
        await wait_until(lambda: limits_met(node).get("attempts"), "one waits")
        began = time.monotonic()
        await stack.aclose()
        assert time.monotonic() - began < 5_000 * MS
        assert sorted(await asyncio.gather(*asked))[-3:] == [503] * 3


async def test_who_waits_for_too_long_is_told(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with when to come again, and the connection ends."""
    monkeypatch.setattr("realtime.engineio.attempts.ATTEMPT_SECONDS", 0.01)
    async with (
        aiohttp.ClientSession() as http,
        exhausted(node, http, "/"),
        http.get(node.url + "/", headers=OTHERS) as answer,
    ):
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.headers["Connection"] == "close"
