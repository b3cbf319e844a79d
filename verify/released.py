"""What nodes hold when all clients are gone, held against what they held before. Pure.

A node begins with nothing for anybody. After a round it must be where it began, but for
what comes with first use and for pools, both bounded here. A node that lives through
several rounds must then stay where it was after the first one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from verify.final_log import Violation
from verify.node_numbers import NodeNumbers

RULE = "released"

FIRST_USE: Mapping[str, int] = {
    # A connection to Redis that was away at the start.
    "descriptors": 3,
    # Of large rooms' fan-out, of sessions' ends, of a level of durability.
    "asyncio_tasks": 3,
}
"""How many more there may be than in a node that has just started."""

POOLS: Mapping[str, int] = {
    # Of users, and of tokens; dropped when there are as many (realtime/rates.py,
    # realtime/presence/sessions.py).
    "request_buckets": 4_096,
    "user_buckets": 4_096,
    "session_ends": 1_024,
}
"""What is let go of by and by; how many there may be at any time."""

MEMORY_SHARE = 0.05
"""Growth of memory that is none: the allocator's rounding, caches that fill."""

WARM_ROUNDS = 2
"""Rounds before memory counts: what is imported, compiled and cached on first use, and
the allocator's arenas, are there after these."""


@dataclass(frozen=True, slots=True)
class NodeCalm:
    """A node after a round, when all clients are gone.

    Attributes:
        node: Its name.
        memory_bytes: Resident memory now.
        peak_bytes: The most that was seen in the round.
        held: What it holds, by kind.
    """

    node: str
    memory_bytes: int
    peak_bytes: int
    held: Mapping[str, int]


def counts(numbers: NodeNumbers) -> dict[str, int]:
    """Return all that is counted of a node."""
    return {"descriptors": numbers.descriptors, **numbers.objects}


class Census:
    """Remembers what each node held in calm, and says what is too much.

    Args:
        idle: The nodes before the first client, by name.
        spared: Nodes that live through all rounds.
    """

    def __init__(self, idle: Mapping[str, NodeNumbers], spared: frozenset[str]) -> None:
        self._idle = idle
        self._spared = spared
        self._calm: dict[str, dict[str, int]] = {}
        self._memory: dict[str, list[int]] = {}

    def too_much(self, node: str, numbers: NodeNumbers) -> list[str]:
        """Say what a node holds more of than it may now."""
        idle = self._idle.get(node)
        if idle is None:
            return []
        calm = self._calm.get(node)
        allowed = {
            kind: count + FIRST_USE.get(kind, 0)
            if calm is None
            else max(count, calm.get(kind, 0))
            for kind, count in counts(idle).items()
        }
        return [
            f"{count} {kind} where {allowed.get(kind, 0)} may be"
            for kind, count in counts(numbers).items()
            if count > max(allowed.get(kind, 0), POOLS.get(kind, 0))
        ]

    def take(self, node: str, numbers: NodeNumbers) -> list[Violation]:
        """Enter a node after a round, and return what it did not let go of."""
        found = [
            Violation(RULE, "-", f"{node} holds {text}")
            for text in self.too_much(node, numbers)
        ]
        if node in self._spared:
            self._calm.setdefault(node, counts(numbers))
            self._memory.setdefault(node, []).append(numbers.memory_bytes)
        return found

    def grown(self) -> list[Violation]:
        """Return which nodes' memory has grown since :data:`WARM_ROUNDS`."""
        found = []
        for node, memory in self._memory.items():
            if len(memory) <= WARM_ROUNDS:
                continue
            before, now = memory[WARM_ROUNDS - 1], memory[-1]
            if now > before * (1 + MEMORY_SHARE):
                text = (
                    f"{node} has {now / 1e6:.1f} MB of memory after round"
                    f" {len(memory)}, {before / 1e6:.1f} MB after round {WARM_ROUNDS}"
                )
                found.append(Violation(RULE, "-", text))
        return found
