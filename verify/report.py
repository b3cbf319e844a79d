"""What came of a run, as text and as JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from verify.census import NodeCalm
from verify.checker import RULES
from verify.failover_figures import FailoverFigures
from verify.figures import Ended, Figures, percentile
from verify.final_log import Violation
from verify.node_numbers import LagFigures

SHOWN_VIOLATIONS = 3
"""Violations of one rule that the text tells of; the rest are in the JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A run that is over.

    Attributes:
        seed: Of the run.
        seconds: How long faults struck.
        clients: How many.
        nodes: How many.
        figures: What it amounted to.
        faults: Those that struck.
        violations: Broken promises, the gravest first; none in a good run.
        failovers: How long they took.
        lag: How late the event loops of nodes were; nothing of the user's own nodes.
        calm: What nodes held when all clients were gone.
    """

    seed: int
    seconds: float
    clients: int
    nodes: int
    figures: Figures
    faults: Sequence[Ended]
    violations: Sequence[Violation]
    failovers: FailoverFigures
    lag: LagFigures
    calm: Sequence[NodeCalm]

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations

    def to_json(self) -> bytes:
        """Return everything, for programs."""
        return orjson.dumps(self.members(), option=orjson.OPT_INDENT_2)

    def members(self) -> dict[str, Any]:
        """Return everything, to be encoded."""
        members = asdict(self)
        members["faults"] = dict(self._fault_counts())
        recovery = members["figures"].pop("recovery_seconds")
        members["figures"]["recovery"] = recovery_members(recovery)
        members["good"] = self.good
        return members

    def to_text(self) -> str:
        """Return what a person wants to know."""
        figures = self.figures
        lines = [
            f"seed {self.seed}: {self.nodes} nodes, {self.clients} clients,"
            f" {self.seconds:g} s of faults",
            f"{figures.messages} messages acknowledged in {figures.attempts} attempts,"
            f" {figures.shown} times shown, {figures.connects} connects",
            f"{len(self.faults)} faults: {self._fault_list() or 'none'}",
            recovery_text(figures.recovery_seconds),
            f"longest answer to a send {figures.answer_seconds:.2f} s;"
            f" {figures.silent} without an answer; answers:"
            f" {_counts(figures.refusals) or 'all well'}",
            *self._failover_lines(),
            *self._node_lines(),
            *self._verdict(),
        ]
        return "\n".join(lines)

    def _failover_lines(self) -> list[str]:
        promoted = self.failovers.promoted_seconds
        recovered = self.failovers.recovered_seconds
        if not promoted:
            return []
        return [
            f"{len(promoted)} failovers, from the moment each struck: another primary"
            f" in {percentile(promoted, 0.5):.2f} s, worst"
            f" {percentile(promoted, 1.0):.2f} s; every member has everything in"
            f" {percentile(recovered, 0.5):.2f} s, worst"
            f" {percentile(recovered, 1.0):.2f} s"
        ]

    def _node_lines(self) -> list[str]:
        lines = []
        if self.lag.probes:
            lines.append(f"event loops late by {lag_text(self.lag)}")
        lines += [
            f"{each.node}: {each.memory_bytes / 1e6:.1f} MB at the end,"
            f" {each.peak_bytes / 1e6:.1f} MB at most;"
            f" {each.held['descriptors']} descriptors,"
            f" {each.held.get('asyncio_tasks', 0)} tasks"
            for each in self.calm
        ]
        return lines

    def _verdict(self) -> list[str]:
        if self.good:
            return ["Nothing is wrong."]
        counts = Counter(violation.rule for violation in self.violations)
        lines = [f"WRONG: {len(self.violations)} violations."]
        for rule, count in counts.items():
            lines.append(f"  {RULES[rule]}: broken {count} times")
            told = [each for each in self.violations if each.rule == rule]
            lines += [
                f"    {each.room}: {each.text}" for each in told[:SHOWN_VIOLATIONS]
            ]
        lines.append(f"Repeat with --seed {self.seed}.")
        return lines

    def _fault_counts(self) -> Counter[str]:
        return Counter(fault.kind for fault in self.faults)

    def _fault_list(self) -> str:
        return _counts(self._fault_counts())


def recovery_members(ascending: Sequence[float]) -> dict[str, float]:
    """Return how long recoveries took, for programs."""
    return {
        "median_seconds": percentile(ascending, 0.5),
        "p99_seconds": percentile(ascending, 0.99),
        "worst_seconds": percentile(ascending, 1.0),
    }


def recovery_text(ascending: Sequence[float]) -> str:
    """Return how long recoveries took, for people."""
    median, p99, worst = recovery_members(ascending).values()
    return (
        f"recovery after a fault: median {median:.2f} s, p99 {p99:.2f} s,"
        f" worst {worst:.2f} s"
    )


def lag_text(lag: LagFigures) -> str:
    """Return how late event loops were, in one clause."""
    text = (
        f"p99.9 {lag.p99_9_seconds * 1000:.0f} ms,"
        f" worst {lag.worst_seconds * 1000:.0f} ms"
    )
    if lag.worst_busy_seconds is None:
        return text
    return f"{text} ({lag.worst_busy_seconds * 1000:.0f} ms of it computing)"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
