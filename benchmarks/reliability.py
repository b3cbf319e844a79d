"""What came of several rounds on the same nodes, as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from verify.final_log import Violation
from verify.node_numbers import LagFigures, together
from verify.report import (
    Report,
    lag_text,
    recovery_members,
    recovery_text,
)

LASTING = "node 1"
"""The node that lives through all rounds: its memory is in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundsReport:
    """Rounds that are over; a run that is broken off has fewer than planned.

    Attributes:
        planned: How many there are to be.
        rounds: Each round by itself.
        violations: Promises that only several rounds together can break.
    """

    planned: int
    rounds: Sequence[Report]
    violations: Sequence[Violation]

    @property
    def good(self) -> bool:
        """Whether every promise was kept, in all rounds that there were to be."""
        whole = len(self.rounds) == self.planned
        return whole and not self.violations and all(r.good for r in self.rounds)

    @property
    def recovery_seconds(self) -> list[float]:
        """Return how long each fault's recovery took, over all rounds; ascending."""
        return sorted(
            seconds for each in self.rounds for seconds in each.figures.recovery_seconds
        )

    @property
    def lag(self) -> LagFigures:
        """How late event loops were, over all rounds."""
        return together([each.lag for each in self.rounds])

    def to_json(self) -> bytes:
        """Return everything, for programs."""
        members = {
            "planned": self.planned,
            "good": self.good,
            "rounds": [each.members() for each in self.rounds],
            "violations": [asdict(each) for each in self.violations],
            "together": {
                **self._sums(),
                "recovery": recovery_members(self.recovery_seconds),
                "lag": asdict(self.lag),
            },
        }
        return orjson.dumps(members, option=orjson.OPT_INDENT_2)

    def to_text(self) -> str:
        """Return what a person wants to know: a row a round, and the whole."""
        sums = self._sums()
        return "\n".join(
            [
                _row(*_HEADS),
                *(_row(*_cells(each)) for each in self.rounds),
                f"together: {sums['messages']} messages, {sums['shown']} times shown,"
                f" {sums['faults']} faults, {sums['connects']} connects",
                recovery_text(self.recovery_seconds),
                f"event loops late by {lag_text(self.lag)}",
                *self._verdict(),
            ]
        )

    def _sums(self) -> dict[str, Any]:
        return {
            "messages": sum(each.figures.messages for each in self.rounds),
            "shown": sum(each.figures.shown for each in self.rounds),
            "faults": sum(len(each.faults) for each in self.rounds),
            "connects": sum(each.figures.connects for each in self.rounds),
            "violations": len(self.violations)
            + sum(len(each.violations) for each in self.rounds),
        }

    def _verdict(self) -> list[str]:
        if self.good:
            return ["Nothing is wrong."]
        lines = [f"WRONG: {each.text}" for each in self.violations]
        lines += [
            f"WRONG: round of seed {each.seed}: {len(each.violations)} violations"
            for each in self.rounds
            if not each.good
        ]
        if len(self.rounds) < self.planned:
            lines.append(f"Only {len(self.rounds)} of {self.planned} rounds are over.")
        return lines


_HEADS = (
    *("seed", "messages", "shown", "faults", "connects", "wrong"),
    *("recovery", "p99", "worst", "answer", "lag p99.9", "worst", "memory", "peak"),
)
_WIDTHS = (6, 8, 8, 6, 8, 5, 8, 6, 6, 6, 9, 6, 7, 6)


def _row(*cells: str) -> str:
    return "  ".join(
        cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True)
    )


def _cells(report: Report) -> list[str]:
    """Return the cells of a round: seconds, milliseconds of lag, MB of node 1."""
    figures, lag = report.figures, report.lag
    recovery = recovery_members(figures.recovery_seconds).values()
    first = next((each for each in report.calm if each.node == LASTING), None)
    return [
        str(report.seed),
        str(figures.messages),
        str(figures.shown),
        str(len(report.faults)),
        str(figures.connects),
        str(len(report.violations)),
        *(f"{each:.2f}" for each in recovery),
        f"{figures.answer_seconds:.1f}",
        *(f"{each * 1000:.0f}" for each in (lag.p99_9_seconds, lag.worst_seconds)),
        f"{first.memory_bytes / 1e6:.1f}" if first else "-",
        f"{first.peak_bytes / 1e6:.1f}" if first else "-",
    ]
