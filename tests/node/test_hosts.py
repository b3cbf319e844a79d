"""Where anybody is believed, no page of a foreign name is let near (DNS rebinding)."""

import logging
from typing import Any

import aiohttp
import pytest

from handlers.hosts import Hosts
from tests.kit.nodes import Node, run_nodes

EVIL = "evil.example:5000"
SECRET = "a secret of the tests, thirty-two bytes long"
PATHS = ("/", "/healthz", "/metrics", "/socket.io/?EIO=4&transport=polling")


async def status(node: Node, path: str, host: str | None = None, **more: str) -> int:
    """Ask as a browser does that reached the node by this name."""
    headers: dict[str, Any] = {**more, **({"Host": host} if host else {})}
    async with (
        aiohttp.ClientSession() as http,
        http.get(node.url + path, headers=headers) as answer,
    ):
        await answer.read()
        return answer.status


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        (None, True),
        ("localhost", True),
        ("LocalHost:5000", True),
        ("chat.localhost:5000", True),
        ("127.0.0.1", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("192.168.0.7:5000", True),
        ("chat.lan:5000", True),
        ("CHAT.lan.", True),
        (EVIL, False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("xlocalhost", False),
        ("", False),
        ("[::1", True),
        ("a@127.0.0.1", False),
    ],
)
def test_which_names_are_ours(host: str | None, is_ours: bool) -> None:
    """Addresses and localhost, which no DNS can lead elsewhere, and what is set."""
    assert Hosts(["chat.lan"]).allow(host) is is_ours


async def test_a_rebound_name_is_refused_in_development(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """On every route, by a text that says what to set; the log says it as well."""
    caplog.set_level(logging.WARNING)
    async with run_nodes(1, redis_url) as (node,):
        for path in PATHS:
            assert await status(node, path) == 200
            assert await status(node, path, EVIL) == 403
            origin = {"Origin": f"http://{EVIL}"}
            assert await status(node, path, EVIL, **origin) == 403
            # A page may set any header but Host.
            assert await status(node, path, EVIL, **{"X-Forwarded-Host": "a"}) == 403
    assert "host 'evil.example:5000' is refused in development mode" in caplog.text
    assert "CHATROOM_ALLOWED_HOSTS" in caplog.text


async def test_names_can_be_given_to_the_server(redis_url: str) -> None:
    """For a container's name, or a machine's on the network at home."""
    async with run_nodes(1, redis_url, allowed_hosts=("chat.lan",)) as (node,):
        assert await status(node, "/healthz", "chat.lan:5000") == 200
        assert await status(node, "/healthz", EVIL) == 403
    async with run_nodes(1, redis_url, allowed_hosts=("*",)) as (node,):
        assert await status(node, "/healthz", EVIL) == 200


async def test_with_a_key_any_name_will_do_but_for_metrics(redis_url: str) -> None:
    """A token proves who asks; metrics without one are for this machine itself."""
    async with run_nodes(1, redis_url, jwt_secret=SECRET) as (node,):
        assert await status(node, "/healthz", EVIL) == 200
        assert await status(node, "/metrics") == 200
        assert await status(node, "/metrics", EVIL) == 403
