"""The checker finds what it is there for: each deliberate defect is flagged."""

import sys

import pytest

from tests.verify.mutants import MUTANTS
from verify.faults.kinds import TAIL_LOST
from verify.plan import Fault, Plan, Planned
from verify.runs import run_trial

pytestmark = pytest.mark.long

# A mutant that one short run does not show is given another one.
MOST_RUNS = 4
# A hundred messages or two; and a moment after the last fault, in which it shows.
BARE_SECONDS = 2.0
EAGERNESS = 4.0
AFTER_SECONDS = 0.5

CUTS = [
    Planned(0.35 * number, Fault("Redis CLIENT KILL pubsub", 0, 0.0))
    for number in range(1, 7)
]
AWAY = [Planned(0.4, Fault("client-node black hole", 0, 1.6))]
LOST_ANSWERS = [Planned(0.2, Fault("node-Redis answers stall", 0, 3.5))]

# For each mutant: a rule that must be broken, and the faults that bring it out.
SHOWN_BY: dict[str, tuple[set[str], list[Planned]]] = {
    "bans_not_kept": ({"put out"}, []),
    "catch_up_off": ({"shown"}, CUTS),
    "deduplication_off": ({"once"}, []),
    "deleted_words_recovered": ({"deleted"}, AWAY),
    "edits_not_kept": ({"changed"}, []),
    "edits_repeated": ({"once"}, []),
    "late_ones_first": ({"sent order"}, []),
    "lost_tail_not_told": ({"shown"}, [Planned(0.5, Fault(TAIL_LOST, 0, 1.0))]),
    "mutes_not_heeded": ({"judged"}, []),
    "newcomers_see_all": ({"newcomers"}, []),
    "numbers_outside_the_script": ({"contiguous"}, []),
    "pins_not_kept": ({"state"}, []),
    "publish_before_store": ({"shown"}, []),
    "put_out_hear_on": ({"put out"}, []),
    "reactions_miscounted": ({"state"}, []),
    "reads_go_backwards": ({"reads"}, []),
    "renames_not_kept": ({"state"}, []),
    "resubscribe_without_catch_up": ({"shown"}, CUTS),
    "roles_not_heeded": ({"judged"}, []),
    "sessions_kept": ({"released"}, []),
    "unknown_told_as_refused": ({"refused"}, LOST_ANSWERS),
}


def lasting(schedule: list[Planned]) -> float:
    """Return the seconds of a run with these faults."""
    ends = [each.at + each.fault.seconds + AFTER_SECONDS for each in schedule]
    return max([BARE_SECONDS, *ends])


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mutant", MUTANTS)
async def test_each_mutant_is_flagged(mutant: str) -> None:
    """A server with this defect never passes as a good one."""
    rules, schedule = SHOWN_BY[mutant]
    command = (sys.executable, "-m", "tests.verify.mutant_node", mutant)
    told: list[str] = []
    for seed in range(MOST_RUNS):
        report = await run_trial(
            Plan(
                seed=seed,
                seconds=lasting(schedule),
                clients=6,
                nodes=2,
                schedule=schedule,
                rate=10.0,
                eagerness=EAGERNESS,
                settle_seconds=1.0,
                released_seconds=1.0,
                command=command,
            ),
            told.append,
        )
        told.append(report.to_text())
        if rules <= {violation.rule for violation in report.violations}:
            return
    pytest.fail("\n".join(told))
