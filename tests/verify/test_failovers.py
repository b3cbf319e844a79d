"""Under Sentinels: what was confirmed is kept, and what is lost is told."""

import pytest

from verify.faults.failovers import (
    PRIMARY_KILLED,
    PRIMARY_TAIL_LOST,
    Failover,
    lost_spans,
    with_unasked,
)
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long

# The Sentinels take two seconds; then all recover, and the dead one comes back.
FAULT_SECONDS = 3.0
STRIKES_AT = 0.5


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("kind", "durability"),
    [(PRIMARY_KILLED, "replicas:1"), (PRIMARY_TAIL_LOST, "memory")],
)
async def test_a_failover_keeps_what_is_promised(kind: str, durability: str) -> None:
    """Acks that a replica confirmed outlive the primary; a lost tail is told."""
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=1,
            seconds=STRIKES_AT + FAULT_SECONDS,
            clients=6,
            nodes=2,
            sentinel=True,
            durability=durability,
            schedule=[Planned(STRIKES_AT, Fault(kind, 0, FAULT_SECONDS))],
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert len(report.failovers) >= 1
    assert report.figures["messages"] > 0
    if kind == PRIMARY_TAIL_LOST:
        assert report.figures["begun_anew"] > 0


def test_what_a_durability_promises_is_not_excused() -> None:
    """A tail may be lost where the one promoted need not have been asked."""
    killed = Failover(PRIMARY_KILLED, 10.0, 12.0, 15.0, ((9.0, 10.0),))
    moved = Failover("primary handed over", 10.0, 11.0, 21.0, ((9.0, 14.0),))
    assert lost_spans(killed, "memory") == lost_spans(killed, "fsync") == ((9.0, 10.0),)
    assert lost_spans(killed, "replicas:1") == lost_spans(killed, "replicas:2") == ()
    assert lost_spans(moved, "replicas:1") == ((9.0, 14.0),)
    assert lost_spans(moved, "replicas:2") == ()


def test_a_failover_that_nobody_asked_for_is_one_too() -> None:
    """The Sentinels replaced a primary again that they had just promoted."""
    killed = Failover(PRIMARY_KILLED, 10.0, 12.0, 15.0, ())
    assert with_unasked([killed], [12.1]) == [killed]
    found = with_unasked([killed], [12.1, 13.9])
    assert [each.promoted_at for each in found] == [12.0, 13.9]
