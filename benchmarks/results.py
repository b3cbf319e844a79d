"""Results of all rounds: medians, and what they are compared with."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# What one case gave in one round: part → figures.
Run = dict[str, Any]

DELIVERY_PARTS = ("A", "A4", "D", "C", "B", "B4", "D2")

# name of a figure → the part that has it and the way to it
FIGURES: dict[str, tuple[str, ...]] = {
    **{
        f"{part} {label}": (part, *path)
        for part in DELIVERY_PARTS
        for label, path in {
            "cpu": ("cpu_us_a_delivery",),
            "p50": ("delivery", "p50_us"),
            "p99": ("delivery", "p99_us"),
            "ack p99": ("ack", "p99_us"),
            "load": ("load_share",),
            "redis": ("redis_us_a_message",),
            "rate": ("deliveries_a_second",),
            "missing": ("missing",),
        }.items()
    },
    "others p99": ("others", "busy", "p99_us"),
    "others calm p99": ("others", "calm", "p99_us"),
    "connect cpu": ("connect", "cpu_us_a_session"),
    "connect rate": ("connect", "sessions_a_second"),
    "join large cpu": ("join_large", "cpu_us_a_session"),
    "idle bytes": ("idle", "bytes_a_session"),
    "lost seconds": ("lost", "sockets_closed_seconds"),
    "lost quiet": ("lost", "quiet_again_seconds"),
    "lost answer": ("lost", "longest_answer_ms"),
    "lost ack": ("lost", "ack", "max_us"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over all rounds.

    Attributes:
        median: Of the clean values; of all if none is clean.
        values: All of them, in the order they were taken.
        clean: How many were taken on a quiet machine.
    """

    median: float
    values: tuple[float, ...]
    clean: int


def summarise(runs: Iterable[Run]) -> dict[str, Figure]:
    """Return each figure that at least one run has."""
    runs = list(runs)
    found: dict[str, Figure] = {}
    for name, (part, *path) in FIGURES.items():
        taken = [
            (value, run[part]["clean"])
            for run in runs
            if part in run and (value := _at(run[part], path)) is not None
        ]
        if not taken:
            continue
        clean = [value for value, is_clean in taken if is_clean]
        values = tuple(round(value, 4) for value, _ in taken)
        middle = statistics.median(clean or values)
        found[name] = Figure(round(middle, 4), values, len(clean))
    return found


def restore(figures: dict[str, Any]) -> dict[str, Figure]:
    """Return the figures of one server as they were written down."""
    return {
        name: Figure(each["median"], tuple(each["values"]), each["clean"])
        for name, each in figures.items()
    }


def _at(figures: Any, path: Iterable[str]) -> float | None:
    for step in path:
        figures = figures[step]
    return figures if figures is None else float(figures)


@dataclass(frozen=True, slots=True)
class Target:
    """A bound for a figure of this server.

    Attributes:
        figure: Its name.
        factor: Times the peer's figure; or the bound itself without a peer.
        peer: The server it is compared with.
        unit: What the figure is multiplied with, and its name, for people.
    """

    figure: str
    factor: float
    peer: str | None = None
    unit: tuple[float, str] = (1.0, "µs")


_MS = (1e-3, "ms")
TARGETS = (
    # Beside those that do the same job.
    *(
        Target(f"{part} cpu", factor, "rust")
        for part, factor in (
            ("A", 0.75),
            ("A4", 0.95),
            ("B", 1.1),
            ("C", 0.9),
            ("D", 0.75),
            ("D2", 1.3),
            ("connect", 2.0),
        )
    ),
    Target("connect cpu", 1.0, "bun-same"),
    # Beside those that do the plain one.
    *(
        Target(f"{part} cpu", factor, peer)
        for part in ("A", "D", "C")
        for peer, factor in (("node", 0.5), ("bun", 0.85), ("raw", 1.3))
    ),
    *(
        Target(f"{part} cpu", factor, peer)
        for part in ("B", "B4", "D2")
        for peer, factor in (("node", 0.5), ("bun", 0.7), ("stock", 0.05))
    ),
    Target("D p50", 1.0, "node", _MS),
    Target("D p99", 1.0, "node", _MS),
    Target("others p99", 50_000, None, _MS),
    Target("idle bytes", 6_000, None, (1e-3, "KB")),
    Target("connect cpu", 1.0, "node"),
    Target("connect cpu", 1.0, "bun"),
    Target("lost seconds", 3.0, None, (1.0, "s")),
    Target("lost quiet", 3.0, None, (1.0, "s")),
    Target("lost answer", 100, None, (1.0, "ms")),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target, what was measured, and the bound that follows from the peer."""

    target: Target
    measured: float
    bound: float

    @property
    def is_met(self) -> bool:
        """Whether the figure is within its bound."""
        return self.measured <= self.bound


def judge(servers: dict[str, dict[str, Figure]], own: str) -> list[Verdict]:
    """Compare this server's figures with their targets, as far as both are there."""
    found = []
    for target in TARGETS:
        mine = servers.get(own, {}).get(target.figure)
        if mine is None:
            continue
        bound = target.factor
        if target.peer is not None:
            theirs = servers.get(target.peer, {}).get(target.figure)
            if theirs is None:
                continue
            bound *= theirs.median
        found.append(Verdict(target, mine.median, bound))
    return found
