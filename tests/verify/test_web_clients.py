"""The web client among the others, while nodes, lines and Redis fail."""

import pytest

from tests.kit.javascript import require_node
from verify.faults.kinds import TAIL_LOST
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long

FAULTS = [
    Planned(0.5, Fault("node SIGKILL", 0, 0.5)),
    Planned(3.0, Fault("client-node reset", 1, 0.0)),
    Planned(3.5, Fault("Redis SIGKILL", 0, 0.3)),
    Planned(4.5, Fault("client-node stall", 0, 0.7)),
]
LOST_TAIL = [*FAULTS[:2], Planned(3.5, Fault(TAIL_LOST, 0, 0.7))]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("schedule", [FAULTS, LOST_TAIL], ids=["faults", "lost tail"])
async def test_web_clients_show_the_log_as_well(schedule: list[Planned]) -> None:
    """The module that pages use keeps the same promises, over the same lines."""
    require_node()
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=1,
            seconds=schedule[-1].at + schedule[-1].fault.seconds + 0.3,
            clients=3,
            web_clients=3,
            nodes=2,
            schedule=schedule,
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
