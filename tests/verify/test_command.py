"""``chatroom verify`` as a user runs it against their own nodes."""

import asyncio
import json
import os
import re
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from realtime.errors import StartError
from tests.kit.balancer import Balancer
from tests.kit.nodes import run_process
from tests.kit.redis_server import RedisServer
from tests.kit.tls import certificate
from tests.kit.waiting import DEADLINE_SECONDS
from verify.harness.nodes import NodeProcess
from verify.plan import Plan
from verify.runs import run_trial

pytestmark = pytest.mark.long

SECRET = "a secret of verify's tests, long enough"
BROKEN_EXIT = 3
RUN_SECONDS = 6 * DEADLINE_SECONDS


async def verify(
    urls: Sequence[str], report: Path, *more: str, **variables: str
) -> tuple[int | None, str, dict[str, Any]]:
    """Run the command for a few seconds; return exit code, output and report."""
    flags = [*(flag for url in urls for flag in ("--url", url)), *more]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime", "verify", *flags),
        *("--seconds", "2.5", "--clients", "4", "--web-clients", "0", "--rate", "8"),
        *("--seed", "1", "--report", str(report)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **variables},
    )
    async with asyncio.timeout(RUN_SECONDS):
        output, _ = await process.communicate()
    text = output.decode()
    return process.returncode, text, _read(report)


def _read(report: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if report.exists():
        found = json.loads(report.read_bytes())
    return found


@pytest.mark.timeout(180)
async def test_a_healthy_deployment_passes(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Two nodes that ask for tokens; the command signs them with their secret."""
    flags = ("--redis-url", redis_server.url)
    async with (
        run_process(*flags, CHATROOM_JWT_SECRET=SECRET) as one,
        run_process(*flags, CHATROOM_JWT_SECRET=SECRET) as two,
    ):
        code, text, report = await verify(
            [one.url, two.url], tmp_path / "report.json", CHATROOM_JWT_SECRET=SECRET
        )
    assert code == 0, text
    assert "Nothing is wrong." in text
    assert report["good"] is True
    assert report["figures"]["messages"] > 0
    assert report["faults"]


@pytest.mark.timeout(180)
async def test_a_broken_deployment_is_found_through_its_history(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """A node without de-duplication, seen from outside; the seed is told."""
    node = NodeProcess(
        *("--redis-url", redis_server.url, "--data-dir", str(tmp_path)),
        log=tmp_path / "node.log",
        command=(sys.executable, "-m", "tests.verify.mutant_node", "deduplication_off"),
    )
    node.start()
    try:
        await node.ready()
        code, text, report = await verify([node.url], tmp_path / "report.json")
    finally:
        node.kill()
    assert code == BROKEN_EXIT, text
    assert "once" in {each["rule"] for each in report["violations"]}
    assert "Repeat with --seed 1." in text


@pytest.mark.timeout(180)
async def test_one_address_over_tls_in_front_of_all_passes(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """As most deployments are: a balancer with a certificate, and nodes behind it.

    The Redis is named as well, so that connections to it are struck too.
    """
    certificate_file = certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate_file)
    flags = ("--redis-url", redis_server.url)
    async with (
        run_process(*flags) as one,
        run_process(*flags) as two,
        Balancer([one.port, two.port], tls=tls).running() as balancer,
    ):
        url = balancer.url.replace("http://127.0.0.1", "https://localhost")
        code, text, report = await verify(
            [url],
            tmp_path / "report.json",
            *("--ca", str(certificate_file), "--redis", redis_server.url),
        )
        assert code == 0, text
        assert report["faults"]
        code, text, _ = await verify([url], tmp_path / "none.json")
        assert (code, "certificate" in text) == (1, True), text


@asynccontextmanager
async def another_server() -> AsyncIterator[str]:
    """Run a web server that is no chatroom; return its address."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.timeout(180)
async def test_an_error_of_use_is_said_in_one_line(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """Another secret than the nodes': what the node says of the token."""
    flags = ("--redis-url", redis_server.url)
    async with run_process(*flags, CHATROOM_JWT_SECRET=SECRET) as node:
        code, text, _ = await verify(
            [node.url], tmp_path / "report.json", CHATROOM_JWT_SECRET=SECRET[::-1]
        )
    assert code == 1, text
    assert "signature is wrong" in text
    assert "Traceback" not in text


@pytest.mark.timeout(180)
async def test_every_address_is_tried_before_it_begins(
    redis_server: RedisServer,
) -> None:
    """No address, a path, nobody there, no chatroom server, no Redis."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = f"127.0.0.1:{gone.getsockname()[1]}"
    async with (
        run_process("--redis-url", redis_server.url) as node,
        another_server() as other,
    ):
        for urls, redis_url, said in (
            (["not-an-address"], None, "not the address of a server"),
            ([f"{node.url}/chat"], None, "has a path"),
            # One of several that is down must not pass unnoticed.
            ([node.url, f"http://{nobody}"], None, f"{nobody} cannot be reached"),
            ([other], None, "no chatroom server"),
            ([node.url], f"redis://{nobody}", "--redis cannot be reached"),
            ([node.url], "nothing", "--redis: "),
        ):
            plan = Plan(seed=1, seconds=1.0, urls=urls, redis_url=redis_url)
            with pytest.raises(StartError, match=re.escape(said)):
                await run_trial(plan, lambda _line: None)


async def test_a_proxy_without_websocket_is_named() -> None:
    """It is no matter of tokens: the proxy is to blame, and what it must pass on."""

    async def answer(request: web.Request) -> web.Response:
        is_polling = request.query["transport"] == "polling"
        return web.Response(text="0{}") if is_polling else web.Response(status=400)

    app = web.Application()
    app.router.add_get("/socket.io/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
        plan = Plan(seed=1, seconds=1.0, urls=[url])
        with pytest.raises(StartError, match="no WebSocket through: it answers 400"):
            await run_trial(plan, lambda _line: None)
    finally:
        await runner.cleanup()
