"""``chatroom verify`` as a user runs it against their own nodes."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from realtime.verify.processes import NodeProcess
from tests.nodes import run_process
from tests.redis_server import RedisServer
from tests.waiting import DEADLINE_SECONDS

SECRET = "a secret of verify's tests, long enough"
BROKEN_EXIT = 3
RUN_SECONDS = 3 * DEADLINE_SECONDS


async def verify(
    urls: Sequence[str], report: Path, **variables: str
) -> tuple[int | None, str, dict[str, Any]]:
    """Run the command for a few seconds; return exit code, output and report."""
    flags = [flag for url in urls for flag in ("--url", url)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime", "verify", *flags),
        *("--seconds", "4", "--clients", "4", "--web-clients", "0", "--rate", "8"),
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


@pytest.mark.timeout(60)
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


@pytest.mark.timeout(60)
async def test_a_broken_deployment_is_found_through_its_history(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    """A node without de-duplication, seen from outside; the seed is told."""
    node = NodeProcess(
        (sys.executable, "-m", "tests.faults.mutant_node", "deduplication_off"),
        redis_url=redis_server.url,
        log_path=tmp_path / "node.log",
        variables={**os.environ, "CHATROOM_DATA_DIR": str(tmp_path)},
    )
    await node.start()
    try:
        url = f"http://127.0.0.1:{node.port}"
        code, text, report = await verify([url], tmp_path / "report.json")
    finally:
        await node.kill()
    assert code == BROKEN_EXIT, text
    assert "once" in {each["rule"] for each in report["violations"]}
    assert "Repeat with --seed 1." in text


async def test_nodes_that_are_not_there_are_said_to_be(tmp_path: Path) -> None:
    """An address without a server is an error of use, in one line."""
    code, text, _ = await verify(["not-an-address"], tmp_path / "report.json")
    assert code == 1
    assert "not the address of a server" in text
