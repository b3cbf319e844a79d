"""A flood from one user beside 200 others: ``python -m benchmarks.flood``.

Two nodes share one core; Valkey, the members' load and the flooder share the other, so
that the flooder's own work is not taken for the server's. Calm and flood take turns in
one run, so that what else the machine does falls on both; a figure is the p99 of all
samples of its kind together. The first moment of a flood, in which its burst is
granted, is measured apart. See docs/reliability.md.
"""

import argparse
import base64
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cluster import Cluster, cluster
from benchmarks.load_generator import (
    BUILD,
    Figures,
    LoadGenerator,
    compile_programs,
)
from benchmarks.machine import LOAD_CORE, cpu_seconds, describe
from benchmarks.processes import raise_descriptor_limit, running
from benchmarks.tokens import token, write_tokens

# ``nothing`` is the control: what the machine alone makes of two calm times.
KINDS = ("nothing", "sends", "requests", "large", "frames", "polling", "connects")

ROOM_MEMBERS = 10
MEMBERS = 200
# Of all members; each goes to the ten of a room.
MESSAGES_A_SECOND = 100.0

TEXT_BYTES = 100
# Of the flooder. A tenth of what one user may have.
CONNECTIONS = 8

# After a flood, before calm is measured again: what it left is worked off.
SETTLE_SECONDS = 2.0

# From a flood's first byte: what the limits grant at once is taken in it.
ONSET_SECONDS = 2.0

BOUND = 1.5

PHASES = ("calm", "onset", "flood")
MEASURES = ("ack", "delivery")


@contextlib.contextmanager
def members(
    nodes: Cluster, folder: Path, count: int, rate: float
) -> Iterator[list[LoadGenerator]]:
    """Connect the calm members, half at each node, and set their rate."""
    rooms = count // ROOM_MEMBERS
    program, _raw = compile_programs(BUILD)
    with contextlib.ExitStack() as stack:
        loads = []
        for number, node in enumerate(nodes.nodes):
            users = (f"n{number}-{i}" for i in range(count))
            tokens = write_tokens(folder / f"tokens-{number}", users)
            process = stack.enter_context(
                running(
                    [str(program), str(node.port), str(tokens), "10000", "100"],
                    core=LOAD_CORE,
                    log=folder / f"load-{number}.log",
                    piped=True,
                )
            )
            load = LoadGenerator(process)
            group = load.connect(count // len(nodes.nodes), rooms, "calm-")["group"]
            load.mode(group, f"rate {rate / len(nodes.nodes)}")
            loads.append(load)
        yield loads


def run(loads: list[LoadGenerator], seconds: float) -> list[Figures]:
    """Have all members chat for some seconds."""
    for load in loads:
        load.start(f"run {seconds} 2")
    groups = [load.finish(seconds + 2)["groups"][0] for load in loads]
    for load, group in zip(loads, groups, strict=True):
        group["counts"] = load.counts()[0]
    return groups


@contextlib.contextmanager
def flooder(
    kind: str, port: int, folder: Path, connections: int, seconds: float
) -> Iterator[Any]:
    """Start a flooder that waits for the word; yield its process."""
    arguments = (
        *(kind, str(port), base64.b64encode(token("flooder").encode()).decode()),
        *("calm-0", str(connections), str(seconds)),
    )
    with running(
        # It shares a core with those who measure: they go first.
        ["nice", "-n", "19", sys.executable, "-m", "benchmarks.flooder", *arguments],
        core=LOAD_CORE,
        log=folder / "flooder.log",
        piped=True,
    ) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"the flooder did not start: {folder}/flooder.log")
        yield process


def pair(
    kind: str,
    nodes: Cluster,
    loads: list[LoadGenerator],
    folder: Path,
    given: argparse.Namespace,
) -> Figures:
    """Measure calm, then the onset of a flood, then the flood."""
    time.sleep(SETTLE_SECONDS)
    calm = run(loads, given.seconds)
    # It goes on for longer than the members do, their last acks included.
    lasts = ONSET_SECONDS + given.seconds + SETTLE_SECONDS
    port = nodes.nodes[0].port
    with flooder(kind, port, folder, given.connections, lasts) as process:
        pids = [node.process.pid for node in nodes.nodes]
        process.stdin.write("go\n")
        process.stdin.flush()
        onset = run(loads, ONSET_SECONDS)
        before = [cpu_seconds(pid) for pid in pids]
        flooded = run(loads, given.seconds)
        share = [
            (cpu_seconds(pid) - was) / given.seconds
            for pid, was in zip(pids, before, strict=True)
        ]
        said = json.loads(process.stdout.readline() or "{}")
    found: Figures = {"kind": kind, "flooder": said, "node_share": share}
    found["seconds"] = lasts
    found["samples"] = {}
    for name, groups in zip(PHASES, (calm, onset, flooded), strict=True):
        for what in MEASURES:
            for number, group in enumerate(groups):
                found["samples"][f"{name} {what} {number}"] = group["counts"][what]
        found[f"{name} unacked"] = sum(g["sent"] - g["acked"] for g in groups)
    return found


def p99(pairs: list[Figures], name: str) -> float:
    """Return the p99, in milliseconds, of all samples of this name."""
    counts: Counter[int] = Counter()
    for each in pairs:
        counts.update(dict(each["samples"][name]))
    wanted, seen = 0.99 * counts.total(), 0
    for edge in sorted(counts):
        seen += counts[edge]
        if seen >= wanted:
            return edge / 1e3
    raise ValueError(f"no samples of {name}")


def short(figures: Figures) -> Figures:
    """Return a pair's figures with a p99 in the place of samples."""
    return {**figures, "samples": {n: p99([figures], n) for n in figures["samples"]}}


def table(found: dict[str, list[Figures]]) -> str:
    """Return the results: p99 in ms of all pairs, and the ratios of single ones."""
    lines = [
        "| flood | node | ack calm | ack onset | ack flood | × | delivery calm |"
        " delivery onset | delivery flood | × | the user was answered, a second |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, pairs in found.items():
        for number in (0, 1):
            cells = [kind, "the flooded one" if number == 0 else "the other"]
            for what in MEASURES:
                calm, _onset, flood = names = [
                    f"{phase} {what} {number}" for phase in PHASES
                ]
                ratios = [p99([each], flood) / p99([each], calm) for each in pairs]
                cells += [f"{p99(pairs, name):.1f}" for name in names]
                cells.append(
                    f"{p99(pairs, flood) / p99(pairs, calm):.2f}"
                    f" ({min(ratios):.2f}–{max(ratios):.2f})"
                )
            cells.append(_answers(pairs) if number == 0 else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _answers(pairs: list[Figures]) -> str:
    names = dict.fromkeys(name for each in pairs for name in each["flooder"])
    parts = []
    for name in names:
        if name in ("bytes", "cpu_seconds"):
            continue
        rates = [each["flooder"].get(name, 0) / each["seconds"] for each in pairs]
        if any(rates):
            parts.append(f"{name} {statistics.median(rates):.0f}")
    return ", ".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.flood", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rate", type=float, default=MESSAGES_A_SECOND)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = _arguments()
    raise_descriptor_limit()
    found: dict[str, list[Figures]] = {kind: [] for kind in given.kinds}
    with (
        tempfile.TemporaryDirectory(prefix="chatroom-flood-") as name,
        cluster(2, Path(name)) as nodes,
        members(nodes, Path(name), given.members, given.rate) as loads,
    ):
        folder = Path(name)
        run(loads, 2.0)
        for number in range(given.rounds):
            for kind in given.kinds:
                figures = pair(kind, nodes, loads, folder, given)
                found[kind].append(figures)
                print(f"{number} {kind:9} {json.dumps(short(figures))}", flush=True)
        for node in nodes.nodes:
            print(node.log.read_text()[-2000:])
    print(json.dumps(describe()))
    print(table(found))
    print(f"To reach: at most {BOUND} × calm.")


if __name__ == "__main__":
    main()
