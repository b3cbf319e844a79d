"""``chatroom verify`` with a watch at hand: ``python -m benchmarks.reliability``.

Takes the flags of ``chatroom verify`` and does the same; besides it measures, round by
round, how long recoveries, failovers and answers took, how late event loops were, and
what memory the node that lives through all rounds takes. Prints the rows of the tables
in docs/reliability.md. The exit code is 3 if a promise was broken or memory has grown.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.node_numbers import LagFigures, together
from benchmarks.node_watch import NodeWatch
from benchmarks.recovery import (
    failover_recoveries,
    longest_answer,
    percentile,
    recoveries,
)
from realtime.node.settings_io import load_settings
from verify.cli import plan_of
from verify.plan import Plan, add_arguments
from verify.report import Report
from verify.runs import round_plans, stage

# The node that lives through all rounds: its memory is in the table.
LASTING = "node 1"

# Growth of memory that is none: the allocator's rounding, caches that fill.
MEMORY_SHARE = 0.05

# Rounds before memory counts: what is imported, compiled and cached on first use, and
# the allocator's arenas, are there after these.
WARM_ROUNDS = 2

BROKEN_EXIT = 3

HEADS = (
    "seed | messages | times shown | faults | connects | promises broken | recovery,"
    " median / p99 / worst | longest answer | loop late, p99.9 / worst | memory of"
    f" {LASTING}, now / peak | another primary, worst | everybody has everything,"
    " median / worst"
)


@dataclass(frozen=True, slots=True)
class Round:
    """A round that is over.

    Attributes:
        report: What it proved.
        lag: How late event loops were; nothing of the user's own nodes.
        memory_bytes: Of the node that lasts, when all clients were gone; 0: unknown.
        peak_bytes: The most that it was seen with.
    """

    report: Report
    lag: LagFigures
    memory_bytes: int
    peak_bytes: int

    @property
    def recovery_seconds(self) -> list[float]:
        """How long each fault's recovery took; ascending."""
        return recoveries(self.report.histories, self.report.faults)

    def row(self) -> str:
        """Return its row of the table."""
        report, figures = self.report, self.report.figures
        answer = max(map(longest_answer, report.histories), default=0.0)
        promoted = sorted(
            each.promoted_at - each.struck_at for each in report.failovers
        )
        recovered = failover_recoveries(
            report.histories, report.failovers, report.faults
        )
        cells = (
            str(report.seed),
            f"{figures['messages']:,}",
            f"{figures['shown']:,}",
            str(len(report.faults)),
            str(figures["connects"]),
            str(len(report.violations)),
            f"{_seconds(self.recovery_seconds, 0.5, 0.99, 1.0)}",
            f"{answer:.1f} s",
            _lag(self.lag),
            f"{self.memory_bytes / 1e6:.1f} / {self.peak_bytes / 1e6:.1f} MB",
            _seconds(promoted, 1.0) if promoted else "–",
            _seconds(recovered, 0.5, 1.0) if recovered else "–",
        )
        return f"| {' | '.join(cells)} |"


async def measure(plans: Sequence[Plan]) -> list[Round]:
    """Carry the rounds out on one site, and print each row as soon as it is known."""
    rounds: list[Round] = []
    async with (
        stage(plans[0], _tell) as (site, run_round),
        NodeWatch(site.places) as watch,
    ):
        for plan in plans:
            watch.begin()
            report = await run_round(plan)
            now = await watch.look(LASTING)
            memory = now.memory_bytes if now else 0
            peak = watch.peaks.get(LASTING, 0)
            rounds.append(Round(report, watch.lag(), memory, peak))
            print(report.to_text(), rounds[-1].row(), sep="\n", flush=True)
    return rounds


def grown(memory: Sequence[int]) -> bool:
    """Tell whether memory, round by round, has grown since :data:`WARM_ROUNDS`."""
    is_long = len(memory) > WARM_ROUNDS
    return is_long and memory[-1] > memory[WARM_ROUNDS - 1] * (1 + MEMORY_SHARE)


def main() -> None:
    """Measure, print, and exit with 3 if something is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.reliability", description=__doc__)
    add_arguments(parser)
    given = parser.parse_args()
    plans = round_plans(plan_of(given, load_settings(os.environ)))
    rounds = asyncio.run(measure(plans))
    heads = HEADS.count("|") + 1
    print(f"| {HEADS} |\n{'|---' * heads}|")
    for each in rounds:
        print(each.row())
    every = sorted(seconds for each in rounds for seconds in each.recovery_seconds)
    lag = together([each.lag for each in rounds])
    print(f"together: recovery {_seconds(every, 0.5, 0.99, 1.0)}; loops {_lag(lag)}")
    is_grown = grown([each.memory_bytes for each in rounds])
    if is_grown:
        print(f"WRONG: the memory of {LASTING} has grown.")
    if is_grown or not all(each.report.good for each in rounds):
        sys.exit(BROKEN_EXIT)


def _tell(line: str) -> None:
    print(line, flush=True)


def _seconds(ascending: Sequence[float], *shares: float) -> str:
    found = (f"{percentile(ascending, share):.2f}" for share in shares)
    return f"{' / '.join(found)} s"


def _lag(lag: LagFigures) -> str:
    return f"{lag.p99_9_seconds * 1000:.0f} / {lag.worst_seconds * 1000:.0f} ms"


if __name__ == "__main__":
    main()
