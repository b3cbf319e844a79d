"""Nothing is lost, doubled or out of order whatever strikes a cluster's shards.

Run by ``make test-redis``: a minute and a half for each kind of server. ``chatroom
verify --cluster`` is the long form; see ``docs/reliability.md``.
"""

import pytest

from verify.faults.kinds import CLUSTER_KINDS
from verify.faults.shards import SHARD_STRIKES
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

# The cluster takes two seconds for a failover; then all recover.
FAULT_SECONDS = 4.0
# A shard that is whole again before the next fault; after one it takes some seconds.
EVERY_SECONDS = 12.0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("durability", ["memory", "replicas:1"])
@pytest.mark.parametrize("kind", ["valkey", "redis"])
async def test_a_struck_shard_keeps_what_is_promised(
    kind: str, durability: str
) -> None:
    """Slots move, primaries are replaced; with a confirmed copy no ack is in vain."""
    strikes = [each for each in SHARD_STRIKES if each in CLUSTER_KINDS[kind]]
    schedule = [
        Planned(1.0 + number * EVERY_SECONDS, Fault(each, number, FAULT_SECONDS))
        for number, each in enumerate(strikes)
    ]
    told: list[str] = []
    report = await run_trial(
        Plan(
            seed=1,
            seconds=len(strikes) * EVERY_SECONDS + 1.0,
            clients=6,
            nodes=2,
            cluster=kind,
            durability=durability,
            schedule=schedule,
            rate=7.0,
        ),
        told.append,
    )
    assert report.good, "\n".join([*told, report.to_text()])
    assert {each.kind for each in report.faults} == set(strikes)
    assert report.figures["messages"] > 0
