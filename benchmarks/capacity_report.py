"""The figures of ``benchmarks.capacity`` as Markdown tables."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.report import table, where

MARKS = ("<!-- capacity: written by --write -->", "<!-- end of capacity -->")
OWN = "chatroom"

# Sessions of the large room: a message gives as many deliveries.
LARGE = 1_000

Found = Mapping[str, Mapping[str, Sequence[Any]]]

# column → part, what it takes of a round's figures (None: nothing), and the decimals
COLUMNS: dict[str, tuple[str, Callable[[Any], float | None], int]] = {
    "rooms of 10, messages/s": ("rooms", lambda each: _rate(each), 0),
    "room of 1,000, deliveries/s": ("room", lambda each: LARGE * _rate(each), 0),
    "connect + join, CPU µs": ("sessions", lambda each: each["cpu_us"], 0),
    "of Redis, µs": ("sessions", lambda each: each["redis_us"], 0),
    "KB a session": ("sessions", lambda each: each["bytes"] / 1e3, 1),
    "all back after, s": ("back", lambda each: each["last_seconds"], 1),
    "acks meanwhile p99, ms": ("back", lambda each: each["ack_p99_ms"], 0),
}


def report(
    found: Found,
    titles: Mapping[str, str],
    machine: dict[str, object],
    packages: dict[str, str],
    failures: Sequence[str],
) -> str:
    """Return all tables: medians, and in brackets the least and the most."""
    parts = [where(machine, packages), _figures(found, titles)]
    if len(found) > 1 and OWN in found:
        parts.append(_ratios(found, titles))
    parts.append(_limits(found, titles))
    if failures:
        parts.append("Failed: " + "; ".join(failures))
    return "\n\n".join(part for part in parts if part)


def _figures(found: Found, titles: Mapping[str, str]) -> str:
    rows = []
    for name, mine in found.items():
        cells = [titles[name]]
        for part, take, decimals in COLUMNS.values():
            rounds = mine.get(part, ())
            cells.append(_marked(rounds, _spread(_values(rounds, take), decimals)))
        rows.append(cells)
    return table(["server", *COLUMNS], rows)


def _ratios(found: Found, titles: Mapping[str, str]) -> str:
    """This server's figures as multiples of the others'."""
    rows = []
    for name, theirs in found.items():
        if name == OWN:
            continue
        cells = [f"this server ÷ {titles[name]}"]
        for part, take, _ in COLUMNS.values():
            mine = _values(found[OWN].get(part, ()), take)
            other = _values(theirs.get(part, ()), take)
            ratio = "–"
            if mine and other and statistics.median(other):
                ratio = f"{statistics.median(mine) / statistics.median(other):.2f}"
            cells.append(ratio)
        rows.append(cells)
    return table(["ratio of the medians", *COLUMNS], rows)


def _limits(found: Found, titles: Mapping[str, str]) -> str:
    """What was full at the highest rate that held, and how the next one failed."""
    head = ["at the highest rate", "messages/s", "p99, ms", "CPU µs a message"]
    head += ["server's core", "Redis", "load", "load late, p99 ms", "the next rate"]
    rows = []
    for part, title in (("rooms", "rooms of 10"), ("room", "room of 1,000")):
        for name, mine in found.items():
            rounds = [each for each in mine.get(part, ()) if each["best"]]
            if not rounds:
                continue
            middle = sorted(rounds, key=_rate)[(len(rounds) - 1) // 2]
            best, over = middle["best"], middle["over"]
            rows.append(
                [
                    f"{title}: {titles[name]}",
                    f"{best['rate']:,.0f}",
                    f"{best['p99_ms']:.1f}",
                    f"{best['cpu_us']:.0f}",
                    *(f"{best[each]:.0%}" for each in ("server", "redis", "load")),
                    f"{best['late_ms']:.1f}",
                    _failure(over),
                ]
            )
    return table(head, rows) if rows else ""


def _failure(over: Any) -> str:
    if over is None:
        return "–"
    why = f"p99 {over['p99_ms']:,.0f} ms, server {over['server']:.0%}"
    if over["failed"]:
        why += f", {over['failed']:,} not sent, refused or lost"
    return f"{over['rate']:,.0f}: {why}"


def _rate(figures: Any) -> float:
    return float(figures["best"]["rate"]) if figures["best"] else 0.0


def _values(rounds: Sequence[Any], take: Callable[[Any], float | None]) -> list[float]:
    return [value for each in rounds if (value := take(each)) is not None]


def _marked(rounds: Sequence[Any], shown: str) -> str:
    """Mark what is a lower bound, as the load was late, and what no quiet machine gave.

    The machine was not quiet if others took the server's core in each of the rounds.
    """
    bound = "≥ " if any(each.get("only_load") for each in rounds) else ""
    noisy = " noisy" if rounds and not any(map(_is_quiet, rounds)) else ""
    return f"{bound}{shown}{noisy}"


def _is_quiet(figures: Any) -> bool:
    probes = [figures[name] for name in ("best", "over") if figures.get(name)]
    return all(each.get("clean", True) for each in (figures, *probes))


def _spread(values: Sequence[float], decimals: int) -> str:
    if not values:
        return "–"
    low, high = (f"{each:,.{decimals}f}" for each in (min(values), max(values)))
    middle = f"{statistics.median(values):,.{decimals}f}"
    return middle if len(values) == 1 else f"{middle} ({low}–{high})"
