"""Nothing is lost, doubled or out of order, whatever strikes: the short form.

``chatroom verify`` is the long form; see ``docs/reliability.md``.
"""

from collections.abc import Sequence

import pytest

from verify.faults.kinds import KINDS, RECEIVER_KINDS
from verify.faults.schedule import MOMENTARY
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long

SEED = 1
NODES = 2
# Over the server's deadline of 0.7 s for a sign of life, under that of a command.
FAULT_SECONDS = 1.0
GAP_SECONDS = 0.4
# A killed node needs that long to be back on a busy machine.
RESTART_SECONDS = 1.5


def one_after_the_other(kinds: Sequence[str]) -> list[Planned]:
    """Let each kind strike once, the nodes in turn."""
    planned: list[Planned] = []
    at = GAP_SECONDS
    for number, kind in enumerate(kinds):
        momentary = any(part in kind for part in MOMENTARY)
        seconds = 0.0 if momentary else FAULT_SECONDS
        planned.append(Planned(at, Fault(kind, number % NODES, seconds)))
        at += seconds + GAP_SECONDS
        if kind.startswith("node SIG"):
            at += RESTART_SECONDS
    return planned


def kinds_of(part: str) -> list[str]:
    return [kind for kind in KINDS if kind.startswith(part)]


@pytest.mark.timeout(90)
@pytest.mark.parametrize("part", ["node SIG", "Redis ", "node-Redis ", "client-node "])
async def test_nothing_is_lost_doubled_or_out_of_order(part: str) -> None:
    """Clients of all transports chat while every kind of fault strikes once."""
    schedule = one_after_the_other(kinds_of(part))
    last = schedule[-1]
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=SEED,
            seconds=last.at + last.fault.seconds + GAP_SECONDS,
            clients=6,
            nodes=NODES,
            schedule=schedule,
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert len(report.faults) == len(schedule)
    assert report.figures["messages"] > 0


@pytest.mark.timeout(60)
async def test_faults_of_one_node_take_turns() -> None:
    """On a busy machine the next one is due before the node is back from the last."""
    kinds = ("node SIGKILL", "node SIGTERM", "node SIGSTOP", "node SIGKILL")
    schedule = [
        Planned(GAP_SECONDS + number * 0.05, Fault(kind, 0, 0.05))
        for number, kind in enumerate(kinds)
    ]
    told: list[str] = []
    plan = Plan(seed=SEED, seconds=2.0, clients=4, nodes=NODES, schedule=schedule)
    report = await run_trial(plan, told.append)
    assert report.good, "\n".join([*told, report.to_text()])
    assert len(report.faults) == len(kinds)


@pytest.mark.timeout(90)
async def test_the_application_is_told_of_everything() -> None:
    """Over its own failures, the deaths of nodes and Redis's restarts, in order."""
    kinds = (*RECEIVER_KINDS, "node SIGKILL", "Redis SIGKILL", "receiver fails")
    schedule = one_after_the_other(kinds)
    last, told = schedule[-1], list[str]()
    report = await run_trial(
        Plan(
            seed=SEED,
            seconds=last.at + last.fault.seconds + GAP_SECONDS,
            clients=4,
            web_clients=0,
            nodes=NODES,
            schedule=schedule,
            rate=7.0,
            webhooks=True,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert len(report.faults) == len(schedule)
