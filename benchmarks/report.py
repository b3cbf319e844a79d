"""The results as Markdown tables, for the terminal and for docs/benchmarks.md."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import DELIVERY_PARTS, Figure, Run, Verdict

BEGIN = "<!-- results: written by make bench -->"
END = "<!-- end of results -->"

Summary = dict[str, dict[str, Figure]]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def where(machine: dict[str, object], versions: dict[str, str]) -> str:
    """Say on what and with what it was measured."""
    parts = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured on a virtual machine: {machine['cores']} cores of {machine['cpu']},"
        f" {machine['memory_gib']} GiB, Linux {machine['kernel']};"
        f" Python {machine['python']} ({machine['python_compiler']}); {parts}."
    )


def cpu_table(summary: Summary, titles: dict[str, str]) -> str:
    """Server CPU a delivery, by case; in brackets the least and the most."""
    head = ["server", *(f"{part}" for part in DELIVERY_PARTS)]
    rows = [
        [
            titles[name],
            *(_spread(figures.get(f"{part} cpu")) for part in DELIVERY_PARTS),
        ]
        for name, figures in summary.items()
    ]
    return table(head, rows)


def latency_table(summary: Summary, titles: dict[str, str]) -> str:
    """Latency of deliveries and acks, and acks beside a large fan-out, in ms."""
    figures = (
        "D p50",
        "D p99",
        "D2 p50",
        "D2 p99",
        "D2 ack p99",
        "others calm p99",
        "others p99",
    )
    rows = [
        [titles[name], *(_scaled(mine.get(each), 1e-3, 2) for each in figures)]
        for name, mine in summary.items()
    ]
    return table(["server, ms", *figures], rows)


def session_table(summary: Summary, titles: dict[str, str]) -> str:
    """What a session costs, and what it costs to lose ten thousand."""
    head = [
        "server",
        "connect + join, CPU µs",
        "sessions/s",
        "join one large room, CPU µs",
        "idle KB",
        "lost: sockets closed, s",
        "lost: quiet again, s",
        "lost: longest answer of /healthz, ms",
        "lost: longest ack of others, ms",
    ]
    figures = (
        ("connect cpu", 1, 0),
        ("connect rate", 1, 0),
        ("join large cpu", 1, 0),
        ("idle bytes", 1e-3, 1),
        ("lost seconds", 1, 2),
        ("lost quiet", 1, 2),
        ("lost answer", 1, 1),
        ("lost ack", 1e-3, 1),
    )
    rows = [
        [titles[name], *(_scaled(mine.get(each), by, to) for each, by, to in figures)]
        for name, mine in summary.items()
        if "connect cpu" in mine or "join large cpu" in mine
    ]
    return table(head, rows)


def target_table(verdicts: Sequence[Verdict]) -> str:
    """Each target with what was measured."""
    rows = []
    for each in verdicts:
        target = each.target
        by, unit = target.unit
        asked = (
            f"{target.factor} × {target.peer}"
            if target.peer
            else f"{target.factor * by:g} {unit}"
        )
        ratio = each.measured / each.bound if each.bound else float("inf")
        rows.append(
            [
                target.figure,
                asked,
                f"{each.bound * by:.2f} {unit}",
                f"{each.measured * by:.2f} {unit}",
                "reached" if each.is_met else f"missed, {ratio:.2f} × the bound",
            ]
        )
    return table(["figure", "at most", "that is", "measured", ""], rows)


def growth_table(growth: dict[str, Run]) -> str:
    """Cost of a delivery as something grows."""
    rows = []
    for name, points in growth.items():
        for at, point in points.items():
            noise = "" if point["clean"] else "noisy"
            rows.append([name, at, f"{point['cpu_us_a_delivery']:.2f}", noise])
    return table(["what grows", "to", "CPU µs a delivery", ""], rows)


def trust_table(summary: Summary, titles: dict[str, str]) -> str:
    """The load generator's own share of its core, missing deliveries, clean runs."""
    head = ["server", *(f"load at {part}" for part in DELIVERY_PARTS)]
    head += ["deliveries missing", "clean of taken"]
    rows = []
    for name, mine in summary.items():
        parts = [part for part in DELIVERY_PARTS if f"{part} cpu" in mine]
        loads = [
            _scaled(mine.get(f"{part} load"), 100, 0, " %") for part in DELIVERY_PARTS
        ]
        missing = sum(max(mine[f"{part} missing"].values) for part in parts)
        clean = sum(mine[f"{part} cpu"].clean for part in parts)
        taken = sum(len(mine[f"{part} cpu"].values) for part in parts)
        rows.append([titles[name], *loads, f"{missing:.0f}", f"{clean} of {taken}"])
    return table(head, rows)


def write_into(
    document: Path, text: str, marks: tuple[str, str] = (BEGIN, END)
) -> None:
    """Replace what stands between the two marks of a document."""
    begin, end = marks
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _spread(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    low, high = min(figure.values), max(figure.values)
    noisy = "" if figure.clean else " noisy"
    return f"{figure.median:.1f} ({low:.1f}–{high:.1f}){noisy}"


def _scaled(figure: Figure | None, by: float, to: int, unit: str = "") -> str:
    return "–" if figure is None else f"{figure.median * by:.{to}f}{unit}"
