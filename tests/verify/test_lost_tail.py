"""Redis comes back without its last seconds, as after a failover."""

import pytest

from verify.faults.kinds import TAIL_LOST
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long


@pytest.mark.timeout(60)
async def test_a_lost_tail_is_told_and_never_shows_as_different_histories() -> None:
    """Who showed what is gone is told to reload; all end with the same room.

    What was acknowledged in the lost seconds is gone, and only that.
    """
    schedule = [
        Planned(0.5, Fault(TAIL_LOST, 0, 1.0)),
        Planned(4.0, Fault("Redis CLIENT KILL pubsub", 0, 0.0)),
        Planned(4.5, Fault(TAIL_LOST, 0, 0.5)),
    ]
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=1,
            seconds=5.5,
            clients=6,
            nodes=2,
            schedule=schedule,
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert report.figures["begun_anew"] > 0
