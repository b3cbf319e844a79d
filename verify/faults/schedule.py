"""When which fault strikes: drawn from a seed, so that a run can be repeated."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from verify.faults.failovers import FAILOVER_KINDS
from verify.faults.group import GROUP_STRIKES
from verify.faults.kinds import KINDS, Fault

FAILOVER_SECONDS = (5.0, 8.0)
"""Range of a failover's length: the Sentinels take some two to four seconds for it, and
what recovers then is to be seen before anything else strikes."""

SECONDS = (0.3, 4.0)
"""Range of a fault's length: from a hiccup to over all of the server's deadlines."""

GAP_SECONDS = (0.5, 4.0)
"""Range of the time between two faults: some strike a node that still recovers."""

OVERLAP_CHANCE = 0.15
"""Share of faults that strike together with the one before."""

ENDINGS = ("node SIGKILL", "node SIGTERM")
"""Faults after which a node is another process."""

MOMENTARY = ("reset", "cut in", "CLIENT KILL")
"""Parts of the names of faults that are over at once."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and when it strikes, in seconds since the beginning of the run."""

    at: float
    fault: Fault


def plan(
    seed: int,
    *,
    seconds: float,
    nodes: int,
    kinds: Sequence[str] = KINDS,
    spared: frozenset[int] = frozenset(),
) -> list[Planned]:
    """Return the faults of a run, in order; all end before it does.

    Every kind strikes once before one strikes again. Two faults overlap only where
    they strike different things.

    Args:
        seed: The same seed gives the same faults.
        seconds: How long faults may strike.
        nodes: How many nodes there are.
        kinds: Which faults.
        spared: Indexes of nodes that are not to be ended, never all of them unless
            none of :data:`ENDINGS` is among the faults.
    """
    rng = random.Random(f"faults {seed}")  # noqa: S311 - repeatable, not secret
    planned: list[Planned] = []
    bag: list[str] = []
    at = rng.uniform(*GAP_SECONDS)
    while kinds:
        if not bag:
            bag = list(kinds)
            rng.shuffle(bag)
        fault = _draw(rng, bag.pop(), nodes, spared)
        if at + fault.seconds > seconds:
            break
        planned.append(Planned(at, fault))
        overlaps = rng.random() < OVERLAP_CHANCE
        at += rng.uniform(*GAP_SECONDS) + (0.0 if overlaps else fault.seconds)
    return _without_clashes(planned)


def _draw(rng: random.Random, kind: str, nodes: int, spared: frozenset[int]) -> Fault:
    momentary = any(part in kind for part in MOMENTARY)
    lengths = FAILOVER_SECONDS if kind in FAILOVER_KINDS else SECONDS
    seconds = 0.0 if momentary else round(rng.uniform(*lengths), 2)
    node = rng.randrange(nodes)
    if kind in ENDINGS and node in spared:
        node = rng.choice([each for each in range(nodes) if each not in spared])
    return Fault(kind, node, seconds)


def _without_clashes(planned: list[Planned]) -> list[Planned]:
    """Leave out what strikes a thing that another fault has in hand."""
    kept: list[Planned] = []
    for each in planned:
        in_hand = [old for old in kept if each.at < old.at + old.fault.seconds]
        if _thing(each.fault) not in [_thing(old.fault) for old in in_hand]:
            kept.append(each)
    return kept


def _thing(fault: Fault) -> str:
    """Return what a fault takes in hand: Redis, a node or a line."""
    part = fault.kind.partition(" ")[0]
    if fault.kind in GROUP_STRIKES or part == "Redis":
        return "Redis"
    return f"{part} {fault.node}"
