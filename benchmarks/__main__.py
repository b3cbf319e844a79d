"""The command: ``python -m benchmarks``, see docs/benchmarks.md."""

import argparse
import dataclasses
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import chart, report
from benchmarks.cases import CASES, QUICK, Sizes
from benchmarks.growth import GROWTH
from benchmarks.hold import hold
from benchmarks.load_generator import BUILD, compile_programs
from benchmarks.machine import describe
from benchmarks.processes import raise_descriptor_limit
from benchmarks.results import DELIVERY_PARTS, Run, judge, restore, summarise
from benchmarks.servers import SERVERS, Server, available, versions
from benchmarks.stage import stage
from benchmarks.tokens import write_tokens

OWN = "chatroom"
DOCS = Path("docs")
RESULTS = "benchmarks.json"
ROUNDS = 3
# No round begins after this long, so that a bad day ends as well.
MINUTES = 40

# Users; further sessions are second and third devices of theirs.
TOKENS = 20_000

# Longest bar of the picture: stock's would flatten all others.
CLIP_US = 80.0


class Bench:
    """All rounds of one call.

    Args:
        sizes: How large and long.
        folder: For logs and data; it may be thrown away afterwards.
        minutes: Time after which no stage is begun.
    """

    def __init__(self, sizes: Sizes, folder: Path, minutes: float) -> None:
        self._sizes = sizes
        self._folder = folder
        self._until = time.monotonic() + minutes * 60
        self._programs = compile_programs(BUILD)
        self._tokens = folder / "tokens"
        write_tokens(self._tokens, (f"user-{number}" for number in range(TOKENS)))
        self.runs: dict[str, list[Run]] = {each.name: [] for each in SERVERS}
        self.growth: dict[str, Run] = {}
        self.failures: list[str] = []

    def do(self, server: Server, name: str, work: Any) -> Run | None:
        """Run a case on a fresh server; a failure is noted and the rest goes on."""
        if time.monotonic() > self._until:
            self.failures.append(f"{server.name} {name}: no time was left")
            return None
        began = time.monotonic()
        try:
            with stage(
                server,
                folder=self._folder,
                programs=self._programs,
                tokens=self._tokens,
            ) as ready:
                found: Run = work(ready, self._sizes)
        except (RuntimeError, OSError) as error:
            self.failures.append(f"{server.name} {name}: {error}")
            print(f"{server.name:9} {name:8} FAILED: {error}", flush=True)
            return None
        seconds = time.monotonic() - began
        print(f"{server.name:9} {name:8} {seconds:4.0f} s  {_brief(found)}", flush=True)
        return found

    def round(self, number: int, servers: list[Server], cases: list[str]) -> None:
        """Run all servers in turn, each round beginning with another one."""
        shift = number % len(servers)
        for name in cases:
            for server in servers[shift:] + servers[:shift]:
                if name not in server.cases or (number and name in server.once):
                    continue
                found = self.do(server, name, CASES[name])
                if found is not None:
                    self.runs[server.name].append(found)

    def grow(self, server: Server) -> None:
        """Measure the growth curves."""
        for name, work in GROWTH.items():
            found = self.do(server, name, work)
            if found is not None:
                self.growth[name] = found


def _brief(found: Run) -> str:
    words = []
    for part, figures in found.items():
        for key in ("cpu_us_a_delivery", "cpu_us_a_session", "bytes_a_session"):
            if key in figures:
                mark = "" if figures["clean"] else "?"
                words.append(f"{part} {figures[key]:.1f}{mark}")
    return "  ".join(words)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    names = [each.name for each in SERVERS]
    parser.add_argument("--quick", action="store_true", help="a taste: small, short")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--servers", nargs="+", choices=names, default=names)
    parser.add_argument("--cases", nargs="+", choices=[*CASES, "growth", "hold"])
    parser.add_argument(
        "--write", action="store_true", help="write the results under docs/"
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="what is not measured this time is kept from the last results",
    )
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write the results down if asked to."""
    given = _arguments()
    cases = given.cases or [*CASES, "growth"]
    servers = available(given.servers)
    sizes = QUICK if given.quick else Sizes()
    raise_descriptor_limit()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chatroom-bench-") as folder:
        bench = Bench(sizes, Path(folder), given.minutes)
        for number in range(1 if given.quick else given.rounds):
            bench.round(number, servers, [name for name in cases if name in CASES])
        own = next((each for each in servers if each.name == OWN), None)
        if "growth" in cases and own is not None:
            bench.grow(own)
        if "hold" in cases and own is not None:
            held = bench.do(own, "hold", hold)
            print(json.dumps(held, indent=1))
    kept = json.loads((DOCS / RESULTS).read_text()) if given.keep else {}
    text, results = _results(bench, sizes, kept)
    print("\n" + text)
    print(f"\n{(time.monotonic() - began) / 60:.1f} minutes")
    if given.write:
        _write(bench, text, results)


def _results(
    bench: Bench, sizes: Sizes, kept: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    titles = {each.name: each.title for each in SERVERS}
    old = kept.get("servers", {})
    summary = {
        name: found
        for name, runs in bench.runs.items()
        if (found := restore(old.get(name, {})) | summarise(runs))
    }
    growth = kept.get("growth", {}) | bench.growth
    verdicts = judge(summary, OWN)
    results: dict[str, Any] = {
        "machine": kept.get("machine") or describe(),
        "versions": kept.get("versions") or versions(),
    }
    parts = [
        report.where(results["machine"], results["versions"]),
        "### Server CPU, µs a delivery\n\n" + report.cpu_table(summary, titles),
        "### Latency\n\n" + report.latency_table(summary, titles),
        "### Sessions\n\n" + report.session_table(summary, titles),
        "### Against the targets\n\n" + report.target_table(verdicts),
        "### How far to trust it\n\n" + report.trust_table(summary, titles),
    ]
    if growth:
        parts.append("### Growth\n\n" + report.growth_table(growth))
    if bench.failures:
        parts.append("Failed: " + "; ".join(bench.failures))
    results |= {
        "sizes": dataclasses.asdict(sizes),
        "servers": {
            name: {key: dataclasses.asdict(each) for key, each in figures.items()}
            for name, figures in summary.items()
        },
        "growth": {
            name: {
                at: {key: point[key] for key in ("cpu_us_a_delivery", "clean")}
                for at, point in points.items()
            }
            for name, points in growth.items()
        },
        "failures": bench.failures,
    }
    return "\n\n".join(parts), results


def _write(bench: Bench, text: str, results: dict[str, Any]) -> None:
    report.write_into(DOCS / "benchmarks.md", text)
    (DOCS / RESULTS).write_text(json.dumps(results, indent=1) + "\n")
    cpu = {
        name: {
            part: figures[f"{part} cpu"]["median"]
            for part in DELIVERY_PARTS
            if f"{part} cpu" in figures
        }
        for name, figures in results["servers"].items()
    }
    picture = chart.bars(
        "Server CPU, µs a delivery (less is better)", DELIVERY_PARTS, cpu, CLIP_US
    )
    (DOCS / "benchmarks.svg").write_text(picture)
    lines = {
        name: {at: point["cpu_us_a_delivery"] for at, point in points.items()}
        for name, points in results["growth"].items()
    }
    if lines:
        picture = chart.curves("Server CPU, µs a delivery, as it grows", lines)
        (DOCS / "benchmarks-growth.svg").write_text(picture)


if __name__ == "__main__":
    main()
