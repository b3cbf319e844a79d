"""What ``chatroom verify --url`` finds: each mutant, from outside.

Not part of the suite, for it takes some minutes: ``pytest tests/verify/by_url.py``.
The nodes run with the default settings, as a user's do, and faults are drawn.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.kit.redis_server import RedisServer
from tests.verify.mutants import MUTANTS
from verify.harness.nodes import NODE_COMMAND, NodeProcess
from verify.plan import Plan
from verify.report import Report
from verify.runs import run_trial

NODES = 2
RUN_SECONDS = 12.0
# As for the mutants of the suite: within 60 s.
MOST_RUNS = 4

# The rule that each breaks before the eyes of clients alone.
SEEN_BY_CLIENTS = {
    "deduplication_off": "once",
    "late_ones_first": "sent order",
    "numbers_outside_the_script": "contiguous",
    "publish_before_store": "shown",
    "reads_go_backwards": "reads",
}

# Those that show in gaps between node and Redis only, which ``--redis`` makes, or that
# the log shows, which is read there.
SEEN_WITH_REDIS = {
    "bans_not_kept": "put out",
    "catch_up_off": "shown",
    "deleted_words_recovered": "deleted",
    "edits_not_kept": "changed",
    "edits_repeated": "once",
    "mutes_not_heeded": "judged",
    "newcomers_see_all": "newcomers",
    "pins_not_kept": "state",
    "put_out_hear_on": "put out",
    "reactions_miscounted": "state",
    "renames_not_kept": "state",
    "resubscribe_without_catch_up": "shown",
    "roles_not_heeded": "judged",
}

# Those that ``--url`` cannot show, and what it would need; runs on nodes of verify's
# own show them.
NOT_SEEN = {
    "lost_tail_not_told": "Redis must lose what it answered",
    "sessions_kept": "what a node holds is told by its own /metrics",
    "unknown_told_as_refused": "an answer of Redis must get lost on its way to a node",
}


async def look(
    server: RedisServer, folder: Path, seed: int, *, mutant: str = "", redis: bool
) -> Report:
    """Run on nodes that are the user's, with the defaults, perhaps with a defect."""
    command: tuple[str, ...] = NODE_COMMAND
    if mutant:
        command = (sys.executable, "-m", "tests.verify.mutant_node", mutant)
    async with AsyncExitStack() as stack:
        nodes = [
            NodeProcess(
                *("--redis-url", server.url, "--data-dir", str(folder)),
                log=folder / f"node{number}.log",
                command=command,
            )
            for number in range(NODES)
        ]
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        await asyncio.gather(*(node.ready() for node in nodes))
        return await run_trial(
            Plan(
                seed=seed,
                seconds=RUN_SECONDS,
                clients=6,
                urls=[node.url for node in nodes],
                redis_url=server.url if redis else None,
                rate=7.0,
                settle_seconds=15.0,
            ),
            lambda _line: None,
        )


def test_every_mutant_has_its_place() -> None:
    """Each is found, or it is said why it is not."""
    assert {*SEEN_BY_CLIENTS, *SEEN_WITH_REDIS, *NOT_SEEN} == {*MUTANTS}


@pytest.mark.timeout(150)
@pytest.mark.parametrize("redis", [False, True], ids=["url", "url-and-redis"])
async def test_healthy_nodes_pass(
    redis_server: RedisServer, tmp_path: Path, redis: bool
) -> None:
    """With and without its Redis at hand."""
    report = await look(redis_server, tmp_path, 1, redis=redis)
    assert report.good, report.to_text()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("mutant", [*SEEN_BY_CLIENTS, *SEEN_WITH_REDIS])
async def test_each_mutant_is_flagged(
    redis_server: RedisServer, tmp_path: Path, mutant: str
) -> None:
    """By the rule that it breaks."""
    rule = {**SEEN_BY_CLIENTS, **SEEN_WITH_REDIS}[mutant]
    told = []
    for seed in range(MOST_RUNS):
        report = await look(
            redis_server,
            tmp_path,
            seed,
            mutant=mutant,
            redis=mutant in SEEN_WITH_REDIS,
        )
        told.append(report.to_text())
        if rule in {violation.rule for violation in report.violations}:
            return
    pytest.fail("\n".join(told))
