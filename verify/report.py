"""What came of a run, as text and as JSON."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from verify.beside import Beside, beside
from verify.checker import RULES
from verify.faults.failovers import Failover
from verify.faults.kinds import Ended
from verify.history import Answered, Began, History, Outcome, Sent, Shown, Up, Violation

# What a chat server is asked first, and the rules that answer it.
ASKED_FIRST = {
    "lost": ("acknowledged", "settled"),
    "doubled": ("once",),
    "out of order": ("contiguous", "sent order", "real time"),
    "shown otherwise": ("shown",),
}

# Violations of one rule that the text tells of; the rest are in the JSON.
SHOWN_VIOLATIONS = 3


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run that is over.

    Attributes:
        seed: Of the run.
        seconds: How long faults struck.
        nodes: How many.
        histories: Of all clients.
        faults: Those that struck.
        failovers: Those that there were, asked for or not.
        violations: Broken promises, the gravest first; none in a good run.
    """

    seed: int
    seconds: float
    nodes: int
    histories: Sequence[History]
    faults: Sequence[Ended]
    failovers: Sequence[Failover]
    violations: Sequence[Violation]

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not self.violations

    @cached_property
    def figures(self) -> dict[str, int]:
        """What the run amounted to, over all clients."""
        records = [record for each in self.histories for record in each.records]
        answers = [each for each in records if isinstance(each, Answered)]
        outcomes = Counter(each.outcome for each in answers)
        acked = [each for each in answers if each.outcome is Outcome.ACKED]
        kinds = Counter(type(record) for record in records)
        anew = [r for r in records if isinstance(r, Began)]
        return {
            "messages": len({(a.room, a.uid) for a in acked if a.message}),
            "others": sum(not each.message for each in acked),
            "attempts": kinds[Sent],
            "refused": outcomes[Outcome.REFUSED],
            "unanswered": outcomes[Outcome.UNKNOWN],
            "shown": kinds[Shown],
            "connects": kinds[Up],
            "begun_anew": sum(bool(r.reload or r.refused_cursor) for r in anew),
        }

    @cached_property
    def beside(self) -> list[Beside]:
        """How rooms of other shards fared while one was struck; of a cluster."""
        return beside(self.histories, self.faults)

    def members(self) -> dict[str, Any]:
        """Return everything but the histories, to be encoded."""
        return {
            "good": self.good,
            "seed": self.seed,
            "seconds": self.seconds,
            "nodes": self.nodes,
            "clients": len(self.histories),
            "figures": self.figures,
            "faults": Counter(fault.kind for fault in self.faults),
            "failovers": [asdict(each) for each in self.failovers],
            "violations": [asdict(each) for each in self.violations],
            "beside": [asdict(each) for each in self.beside],
        }

    def to_text(self) -> str:
        """Return what a person wants to know, in the first line what was proven."""
        figures = self.figures
        broken = Counter(each.rule for each in self.violations)
        answers = {
            what: sum(broken.pop(rule, 0) for rule in rules)
            for what, rules in ASKED_FIRST.items()
        }
        told = ", ".join(f"{count} {what}" for what, count in answers.items())
        faults = Counter(fault.kind for fault in self.faults)
        struck = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
        return "\n".join(
            [
                f"{figures['messages']} messages acknowledged: {told},"
                f" {broken.total()} other promises broken",
                f"seed {self.seed}: {self.nodes} nodes, {len(self.histories)} clients,"
                f" {self.seconds:g} s of faults",
                f"{figures['others']} other operations acknowledged; messages"
                f" {figures['shown']} times shown; {figures['connects']} connects",
                f"{figures['attempts']} attempts: {figures['refused']} refused,"
                f" {figures['unanswered']} answers cut off, messages confirmed by"
                " repeat",
                f"{len(self.faults)} faults: {struck or 'none'};"
                f" {len(self.failovers)} failovers",
                *(each.to_text() for each in self.beside),
                *self._verdict(),
            ]
        )

    def _verdict(self) -> list[str]:
        if self.good:
            return ["Nothing is wrong."]
        lines = [f"WRONG: {len(self.violations)} violations."]
        for rule, count in Counter(each.rule for each in self.violations).items():
            lines.append(f"  {RULES[rule]}: broken {count} times")
            told = [each for each in self.violations if each.rule == rule]
            lines += [f"    {v.room}: {v.text}" for v in told[:SHOWN_VIOLATIONS]]
        return [*lines, f"Repeat with --seed {self.seed}."]
