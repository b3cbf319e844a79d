"""Rounds on the same nodes: what each leaves behind is counted, and told."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.kit.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.long

ROUNDS = 3
RUN_SECONDS = 4 * DEADLINE_SECONDS


@pytest.mark.timeout(60)
async def test_each_round_tells_what_nodes_hold_when_all_have_left(
    tmp_path: Path,
) -> None:
    """Sessions, rooms and descriptors are back to none; each round is in the report."""
    path = tmp_path / "report.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "realtime", "verify", "--rounds", str(ROUNDS)),
        *("--seconds", "2", "--nodes", "2", "--clients", "4", "--web-clients", "0"),
        *("--rate", "8", "--seed", "7", "--faults", "client-node reset"),
        *("--report", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(RUN_SECONDS):
        output, _ = await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text
    report = json.loads(path.read_bytes())
    assert report["good"] is True
    assert [each["seed"] for each in report["rounds"]] == [7, 8, 9]
    for each in report["rounds"]:
        assert each["figures"]["messages"] > 0
        assert each["violations"] == []
