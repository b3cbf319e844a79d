"""Where a node listens, what it says of it, and what it does not make in vain."""

import asyncio
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from realtime.errors import StartError
from realtime.node.binding import bind, page_address
from tests.kit.nodes import run_process, start_process

# An address that no machine has (RFC 5737).
ABSENT = "192.0.2.1"


def answer(*hosts: str) -> list[tuple[object, ...]]:
    """Return what the resolver says of a name with these addresses."""
    return [
        (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            socket.SOCK_STREAM,
            0,
            "",
            (host, 0, 0, 0) if ":" in host else (host, 0),
        )
        for host in hosts
    ]


async def bound(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> list[str]:
    """Return where sockets were bound for a name with these addresses."""

    async def getaddrinfo(*_arguments: object, **_more: object) -> object:
        return answer(*hosts)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    made = await bind("name", 0)
    try:
        assert len({each.getsockname()[1] for each in made}) == 1
        return [each.getsockname()[0] for each in made]
    finally:
        for each in made:
            each.close()


async def test_an_address_that_the_machine_lacks_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``localhost`` is ::1 as well for resolvers, also in containers without IPv6."""
    assert await bound(monkeypatch, ABSENT, "127.0.0.1") == ["127.0.0.1"]
    assert await bound(monkeypatch, "::1", "127.0.0.1") == ["::1", "127.0.0.1"]
    with pytest.raises(StartError, match="cannot be listened on: Cannot assign"):
        await bound(monkeypatch, ABSENT)


async def test_a_name_that_nobody_knows_is_told() -> None:
    """The name and the resolver's words, not a traceback."""
    with pytest.raises(StartError, match=r"nobody\.invalid:0 cannot be listened on"):
        await bind("nobody.invalid", 0)


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "::1", "localhost", "127.0.0.1"])
async def test_what_is_announced_is_reached(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every address that the name in it has here: ``::`` takes IPv4, too."""
    async with AsyncExitStack() as stack:
        made = await bind(host, 0)
        for each in made:
            stack.callback(each.close)
            each.listen()
        port = made[0].getsockname()[1]
        address = page_address(host, port).removeprefix("http://")
        name = address.rpartition(":")[0].strip("[]")
        family = socket.AF_INET if host in ("0.0.0.0", "127.0.0.1") else 0
        for found in socket.getaddrinfo(name, port, family, socket.SOCK_STREAM):
            with socket.create_connection((str(found[4][0]), port), timeout=5):
                pass


async def test_a_busy_port_is_noticed_before_anything_is_made(tmp_path: Path) -> None:
    """Neither a Valkey is started nor a folder made for a node that cannot serve."""
    folder = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        node = await start_process("--data-dir", str(folder), port=port)
        try:
            assert await node.ended() == 1
        finally:
            await node.aclose()
    assert f"127.0.0.1:{port} is in use by another program" in node.output
    assert not folder.exists()


async def test_a_head_has_place_for_the_cookies_of_a_site(redis_url: str) -> None:
    """16 KB of cookies pass; what no site has is refused, in pieces or at once."""
    async with (
        run_process("--redis-url", redis_url) as node,
        aiohttp.ClientSession() as http,
    ):
        for size, status in ((16_000, 200), (31_000, 200), (33_000, 400)):
            headers = {"Cookie": "a=" + "x" * size}
            async with http.get(f"{node.url}/healthz", headers=headers) as answer:
                assert answer.status == status
        many = {f"X-{number}": "x" * 2_000 for number in range(20)}
        async with http.get(f"{node.url}/healthz", headers=many) as answer:
            assert answer.status == 400
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        # The last one is too much: what nobody reads would reset the connection.
        for number in range(17):
            writer.write(b"X-%d: " % number + b"x" * 2_000 + b"\r\n")
            await writer.drain()
        head = await reader.read()
        writer.close()
        assert b"400" in head.partition(b"\r\n")[0]
        assert b"head has more than 32768 bytes" in head


async def test_a_body_is_no_head(redis_url: str) -> None:
    """What follows a head is bounded by what bodies are bounded by."""
    async with (
        run_process("--redis-url", redis_url) as node,
        aiohttp.ClientSession() as http,
    ):
        for _ in range(3):
            url = f"{node.url}/socket.io/?EIO=4&transport=polling&sid=nobody"
            async with http.post(url, data=b"x" * 200_000) as answer:
                assert (await answer.json())["message"] == "Session ID unknown"


async def test_idle_connections_are_kept_as_long_as_is_set(redis_url: str) -> None:
    """Balancers keep theirs for minutes, and answer 502 when the node closes first."""
    async with run_process(
        "--redis-url", redis_url, CHATROOM_KEEPALIVE_SECONDS="0.3"
    ) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"200 OK" in await reader.read()
        writer.close()
