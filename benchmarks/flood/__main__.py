"""Attacks on a node beside honest members: ``python -m benchmarks.flood``.

The node has one core; Valkey, the members' load and the attacker share the other, so
that the attacker's own work is not taken for the server's. Calm and attack take turns
in one run, so that what else the machine does falls on both: what counts is their
ratio. The first moment of an attack, in which its burst is granted, is measured for
memory only. See docs/benchmarks.md.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cluster import Cluster, Node, cluster
from benchmarks.flood.attacker import attacker
from benchmarks.flood.newcomer import Newcomers
from benchmarks.flood.strangers import attacks
from benchmarks.flood.users import USERS
from benchmarks.load_generator import (
    BUILD,
    Figures,
    LoadGenerator,
    compile_programs,
)
from benchmarks.machine import LOAD_CORE, cpu_seconds, describe, resident_bytes
from benchmarks.processes import raise_descriptor_limit, running
from benchmarks.tokens import token, write_tokens
from realtime.node.settings import SOURCE_PAGE

ROOM_MEMBERS = 10
MEMBERS = 200
# Of all members; each goes to the ten of a room.
MESSAGES_A_SECOND = 100.0
TEXT_BYTES = 100

# Of a user who floods. A tenth of what one user may have.
CONNECTIONS = 8

# After an attack, before calm is measured again: what it left is worked off.
SETTLE_SECONDS = 1.0
# From an attack's first byte: what the limits grant at once is taken in it.
ONSET_SECONDS = 3.0
SAMPLE_SECONDS = 0.05

# Others' p99, of calm; the node's memory above calm; a stranger's share of the loop.
BOUND = 1.5
BOUND_MIB = 128
STRANGERS_MIB = 64
STRANGERS_SHARE = 0.2
MIB = 1 << 20


class Peak(threading.Thread):
    """The node's largest resident memory while this runs."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.bytes = resident_bytes(pid)

    def run(self) -> None:
        """Look until it is ended."""
        while not self._ended.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, resident_bytes(self._pid))

    def end(self) -> int:
        """Look no more, and return what was seen."""
        self._ended.set()
        self.join()
        return self.bytes


@contextlib.contextmanager
def members(
    node: Node, folder: Path, count: int, rate: float
) -> Iterator[LoadGenerator]:
    """Connect the calm members, and set their rate."""
    program, _raw = compile_programs(BUILD)
    tokens = write_tokens(folder / "tokens", (f"calm-{each}" for each in range(count)))
    with running(
        [str(program), str(node.port), str(tokens), "10000", str(TEXT_BYTES)],
        core=LOAD_CORE,
        log=folder / "load.log",
        piped=True,
    ) as process:
        load = LoadGenerator(process)
        group = load.connect(count, count // ROOM_MEMBERS, "calm-")["group"]
        load.mode(group, f"rate {rate}")
        yield load


def _phase(load: LoadGenerator, node: Node, come: Newcomers, seconds: float) -> Figures:
    """Have the members chat for some seconds; return what that was like."""
    come.taken()
    pid = node.process.pid
    began, used = time.monotonic(), cpu_seconds(pid)
    group = load.run(seconds, 0.5)["groups"][0]
    share = (cpu_seconds(pid) - used) / (time.monotonic() - began)
    connects, answers = come.taken()
    return {
        "share": share,
        "ack": load.counts()[0]["ack"],
        "unacked": group["sent"] - group["acked"],
        "connects": connects,
        "answers": answers,
    }


def measure(
    kind: str,
    nodes: Cluster,
    load: LoadGenerator,
    come: Newcomers,
    folder: Path,
    given: argparse.Namespace,
) -> Figures:
    """Measure calm, then an attack."""
    node = nodes.nodes[0]
    time.sleep(SETTLE_SECONDS)
    found: Figures = {"calm": _phase(load, node, come, given.seconds)}
    lasts = ONSET_SECONDS + given.seconds + 1
    before = resident_bytes(node.process.pid)
    peak = Peak(node.process.pid)
    with attacker(kind, node.port, folder, given.connections, lasts) as process:
        peak.start()
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(ONSET_SECONDS)
        found["attack"] = _phase(load, node, come, given.seconds)
        found["said"] = json.loads(process.stdout.readline() or "{}")
    found["memory"] = peak.end() - before
    found["seconds"] = lasts
    return found


def p99(pairs: list[Figures], phase: str) -> float:
    """Return the p99 of the members' acks in a phase, in milliseconds."""
    counts: Counter[int] = Counter()
    for each in pairs:
        counts.update(dict(each[phase]["ack"]))
    wanted, seen = 0.99 * counts.total(), 0
    for edge in sorted(counts):
        seen += counts[edge]
        if seen >= wanted:
            return edge / 1e3
    raise ValueError("nobody was answered")


def row(kind: str, says: str, pairs: list[Figures]) -> str:
    """Return an attack's line of the table: medians over its rounds."""
    ratios = sorted(p99([each], "attack") / p99([each], "calm") for each in pairs)
    shares = {
        phase: statistics.median(each[phase]["share"] for each in pairs)
        for phase in ("calm", "attack")
    }
    memory = max(each["memory"] for each in pairs) / MIB
    cells = [
        f"{kind}: {says}",
        f"{p99(pairs, 'calm'):.1f}",
        f"{p99(pairs, 'attack'):.1f}",
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})",
        f"{shares['calm']:.0%}",
        f"{shares['attack'] - shares['calm']:+.0%}",
        f"{memory:+.0f}",
    ]
    for what in ("connects", "answers"):
        for phase in ("calm", "attack"):
            times = sorted(s * 1e3 for each in pairs for s in each[phase][what])
            cells.append(
                f"{statistics.median(times):.0f}, {times[-1]:.0f}" if times else "none"
            )
    cells.append(_said(pairs))
    return "| " + " | ".join(cells) + " |"


def _said(pairs: list[Figures]) -> str:
    names = dict.fromkeys(name for each in pairs for name in each["said"])
    rates = {
        name: statistics.median(
            each["said"].get(name, 0) / each["seconds"] for each in pairs
        )
        for name in names
    }
    return ", ".join(
        f"{name} {rate:,.0f}" for name, rate in rates.items() if rate >= 0.5
    )


HEAD = (
    "| attack | acks p99, ms, calm | attacked | × | node's core, calm | by the attack |"
    " memory by it, MiB | connect and join, ms, calm: median, most | attacked |"
    " /readyz, ms, calm: median, most | attacked | what it did, a second |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.flood", description=__doc__)
    kinds = (*USERS, *attacks(SOURCE_PAGE))
    parser.add_argument("--kinds", nargs="+", choices=kinds, default=list(kinds))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--members", type=int, default=MEMBERS)
    parser.add_argument("--rate", type=float, default=MESSAGES_A_SECOND)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--settings", nargs="*", default=[], metavar="CHATROOM_X=Y")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = _arguments()
    raise_descriptor_limit()
    of_strangers = attacks(SOURCE_PAGE)
    found: dict[str, list[Figures]] = {kind: [] for kind in given.kinds}
    settings = dict(each.split("=", 1) for each in given.settings)
    with tempfile.TemporaryDirectory(prefix="chatroom-flood-") as name:
        folder = Path(name)
        for number in range(given.rounds):
            for kind in given.kinds:
                # A node each: what one attack leaves is not the next one's.
                with (
                    cluster(
                        1, _folder(folder, number, kind), settings=settings
                    ) as nodes,
                    members(nodes.nodes[0], folder, given.members, given.rate) as load,
                    Newcomers(nodes.nodes[0].port, _users()) as come,
                ):
                    load.run(1.0)
                    one = measure(kind, nodes, load, come, folder, given)
                    log = nodes.nodes[0].log.read_text()
                found[kind].append(one)
                says = of_strangers[kind].says if kind in of_strangers else "a user"
                print(row(kind, says, [one]), file=sys.stderr, flush=True)
                if "Traceback" in log:
                    print(log[-3000:], file=sys.stderr, flush=True)
    print(json.dumps(describe()))
    print(HEAD)
    for kind, pairs in found.items():
        says = of_strangers[kind].says if kind in of_strangers else "a user"
        print(row(kind, says, pairs))
    print(
        f"To reach: {BOUND} × calm, {BOUND_MIB} MiB; of strangers"
        f" {STRANGERS_SHARE:.0%} and {STRANGERS_MIB} MiB."
    )


def _folder(folder: Path, number: int, kind: str) -> Path:
    made = folder / f"{number}-{kind.replace(' ', '-')}"
    made.mkdir()
    return made


def _users() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield token(f"newcomer-{number}")


if __name__ == "__main__":
    main()
