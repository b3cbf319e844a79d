"""When which fault strikes: drawn from a seed, so that a run can be repeated."""

import random

from realtime.errors import StartError
from verify.faults.failovers import FAILOVERS
from verify.faults.kinds import (
    CLIENT_KINDS,
    CLUSTER_KINDS,
    GROUP_KINDS,
    KINDS,
    RECEIVER_KINDS,
    REDIS_KINDS,
    SENTINEL_KINDS,
)
from verify.faults.shards import SHARD_STRIKES
from verify.plan import Fault, Plan, Planned

# Range of a failover's length: the Sentinels, or a cluster, take some two to four
# seconds for it, and what recovers then is to be seen before anything else strikes.
FAILOVER_SECONDS = (5.0, 8.0)

# Range of a fault's length: from a hiccup to over all of the server's deadlines.
SECONDS = (0.3, 4.0)

# Range of the time between two faults: some strike a node that still recovers.
GAP_SECONDS = (0.5, 4.0)

# Share of faults that strike together with the one before.
OVERLAP_CHANCE = 0.15

# Faults after which a node is another process.
ENDINGS = ("node SIGKILL", "node SIGTERM")

# Parts of the names of faults that are over at once.
MOMENTARY = ("reset", "cut in", "CLIENT KILL")


def kinds_of(plan: Plan) -> list[str]:
    """Return the kinds of fault that may strike in a run.

    Raises:
        StartError: There are none of the name that was asked for.
    """
    known = SENTINEL_KINDS if plan.sentinel else KINDS
    if plan.cluster:
        known = CLUSTER_KINDS[plan.cluster]
    if plan.urls:
        known = (*CLIENT_KINDS, *(REDIS_KINDS if plan.redis_url else ()))
    if plan.webhooks:
        known = (*known, *RECEIVER_KINDS)
    kinds = [kind for kind in known if plan.faults in kind]
    if not kinds:
        there_are = f"There are: {', '.join(known)}"
        raise StartError(f"No fault has {plan.faults!r} in its name. {there_are}")
    return kinds


def draw_schedule(plan: Plan, nodes: int) -> list[Planned]:
    """Return the faults of a run, in order; all end before it does.

    Every kind strikes once before one strikes again. Two faults overlap only where
    they strike different things.

    Args:
        plan: The same seed gives the same faults.
        nodes: How many there are.
    """
    rng = random.Random(f"faults {plan.seed}")  # noqa: S311 - repeatable, not secret
    planned: list[Planned] = []
    bag: list[str] = []
    at = rng.uniform(*GAP_SECONDS)
    while True:
        if not bag:
            bag = kinds_of(plan)
            rng.shuffle(bag)
        fault = _draw(rng, bag.pop(), nodes, plan.spared)
        if at + fault.seconds > plan.seconds:
            return planned
        in_hand = [old.fault for old in planned if at < old.at + old.fault.seconds]
        clash = _thing(fault) in map(_thing, in_hand)
        overlaps = rng.random() < OVERLAP_CHANCE
        if not clash:
            planned.append(Planned(at, fault))
        at += rng.uniform(*GAP_SECONDS) + (0.0 if overlaps else fault.seconds)


def _draw(rng: random.Random, kind: str, nodes: int, spared: frozenset[int]) -> Fault:
    """Choose a length and a node; those spared get no fault that ends a process."""
    momentary = any(part in kind for part in MOMENTARY)
    is_failover = kind in FAILOVERS or kind in SHARD_STRIKES
    lengths = FAILOVER_SECONDS if is_failover else SECONDS
    seconds = 0.0 if momentary else round(rng.uniform(*lengths), 2)
    node = rng.randrange(nodes)
    if kind in ENDINGS and node in spared:
        node = rng.choice([each for each in range(nodes) if each not in spared])
    return Fault(kind, node, seconds)


def _thing(fault: Fault) -> str:
    """Return what a fault takes in hand: Redis, a node or a line."""
    part = fault.kind.partition(" ")[0]
    if fault.kind in GROUP_KINDS or part in ("Redis", "cluster"):
        return "Redis"
    if fault.kind in RECEIVER_KINDS:
        return part
    return f"{part} {fault.node}"
