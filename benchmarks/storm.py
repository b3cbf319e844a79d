"""5,000 clients come back after their node was killed: ``python -m benchmarks.storm``.

Three nodes on one Valkey. One has the victims, each other one some calm sessions; all
chat. The first is killed; its clients come back to the others as socket.io-client does,
join with their cursors, and every event is checked. See docs/reliability.md.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.cluster import Cluster, Node, cluster
from benchmarks.flood.attacker import attacking
from benchmarks.flood.strangers import attacks as strangers
from benchmarks.load_generator import BUILD, Crowd, Figures, compile_load
from benchmarks.machine import (
    LOAD_CORE,
    SERVER_CORE,
    cpu_seconds,
    describe,
    resident_bytes,
)
from benchmarks.processes import raise_descriptor_limit, running
from benchmarks.tokens import write_tokens
from realtime.node.settings import SOURCE_PAGE

TEXT_BYTES = 100
CALM_SECONDS = 10.0
# Longest wait for the last one; the aim is a sixth of it.
STORM_SECONDS = 60.0

# A lease and a half: the dead node's sessions are swept in this time.
AFTER_SECONDS = 15.0

SETTLE_SECONDS = 3.0

# Of strangers who attack the other nodes meanwhile: from the calm to the last one back.
ATTACK_SECONDS = 90.0
SAMPLE_SECONDS = 0.05
BOUND_SECONDS = 10.0


class Memory:
    """The nodes' resident memory, looked at all the time.

    Args:
        nodes: Those that live.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self._nodes = nodes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak = [0] * len(nodes)
        self._thread.start()

    def now(self) -> list[int]:
        """Return the bytes of each node."""
        return [resident_bytes(node.process.pid) for node in self._nodes]

    def stop(self) -> None:
        """End the looking."""
        self._over.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            self.peak = [max(pair) for pair in zip(self.peak, self.now(), strict=True)]


def storm(given: argparse.Namespace, folder: Path, crowd_program: Path) -> Figures:
    """Do it once; return what happened."""
    sessions = given.victims + given.others * 2
    users = (f"user-{number}" for number in range(sessions))
    tokens = write_tokens(folder / "tokens", users)
    settings = dict(pair.split("=", 1) for pair in given.settings)
    with cluster(
        3, folder, cores=(SERVER_CORE, SERVER_CORE, LOAD_CORE), settings=settings
    ) as nodes:
        command = [
            *(str(crowd_program), str(tokens), str(given.victims)),
            *(str(given.others * 2), str(given.rooms), str(given.rate)),
            *(str(TEXT_BYTES), *(str(node.port) for node in nodes.nodes)),
        ]
        with (
            running(
                command, core=LOAD_CORE, log=folder / "crowd.log", piped=True
            ) as process,
            contextlib.ExitStack() as attacks,
        ):
            for number, node in enumerate(nodes.nodes[1:] * bool(given.attack)):
                log = folder / f"attack-{number}"
                log.mkdir()
                attacks.enter_context(
                    attacking(given.attack, node.port, log, ATTACK_SECONDS)
                )
            found = _course(given, nodes, Crowd(process))
        found["logs"] = [node.log.read_text()[-1500:] for node in nodes.nodes[1:]]
    return found


def _course(given: argparse.Namespace, nodes: Cluster, crowd: Crowd) -> Figures:
    sessions = given.victims + given.others * 2
    joined = crowd.ask("connect", 120)
    if joined["joined"] != sessions:
        raise RuntimeError(f"{joined['joined']} of {sessions} joined: {joined}")
    crowd.ask("run", 2.0)
    calm_calls = nodes.calls()
    found: Figures = {"connect": joined, "calm": crowd.ask("run", given.calm)}
    before = nodes.calls()
    memory = Memory(nodes.nodes[1:])
    try:
        found["memory before"] = memory.now()
        victim = nodes.nodes[0].process.pid
        pids = [node.process.pid for node in nodes.nodes[1:]]
        cpu = [cpu_seconds(pid) for pid in (*pids, nodes.redis.pid)]
        found["storm"] = crowd.ask(f"storm {victim}", STORM_SECONDS)
        now = [cpu_seconds(pid) for pid in (*pids, nodes.redis.pid)]
        found["cpu"] = [b - a for a, b in zip(cpu, now, strict=True)]
        after = nodes.calls()
        found["after"] = crowd.ask("run", given.after)
        swept = nodes.calls()
        found["settle"] = crowd.ask("settle", SETTLE_SECONDS)
        found["memory after"] = memory.now()
        found["memory peak"] = memory.peak
    finally:
        memory.stop()
    found["calls"] = {
        "calm": _difference(calm_calls, before),
        "storm": _difference(before, after),
        "after": _difference(after, swept),
    }
    found["metrics"] = [node.metrics() for node in nodes.nodes[1:]]
    return found


def _difference(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {
        name: count - before.get(name, 0)
        for name, count in after.items()
        if count != before.get(name, 0) and name != "info"
    }


def lines(found: Figures) -> list[str]:
    """Say what happened in one run."""
    storm, calm, after = found["storm"], found["calm"], found["after"]
    wrong = ("doubled", "skipped", "unrecovered", "wrong_cursor", "lost")
    phases = ("storm", "after", "settle")
    faults = {name: sum(found[phase][name] for phase in phases) for name in wrong}
    faults["behind"] = found["settle"]["behind"]
    said = [
        f"back: {storm.get('back', 0)}, median {storm.get('back_p50')} s,"
        f" p99 {storm.get('back_p99')} s, last {storm.get('back_last')} s",
        f"events recovered: {storm['recovered_events']};"
        f" attempts {storm['attempts']}, failed {storm['failed_attempts']},"
        f" timeouts (TCP, HTTP, handshake, CONNECT, join) {storm['timeouts']},"
        f" refused connects {storm['refused_connects']},"
        f" refused joins {storm['refused_joins']}; {storm['error'] or 'no complaint'}",
        "wrong: " + ", ".join(f"{name} {count}" for name, count in faults.items()),
    ]
    for name, part in (("calm", calm), ("storm", storm), ("after", after)):
        ack, delivery = part["ack"], part["delivery"]
        said.append(
            f"{name}: {part['seconds']:.1f} s, sent {part['sent']}, acked"
            f" {part['acked']}, refused {part['refused_sends']}; ms: ack p50"
            f" {ack['p50_us'] / 1e3:.1f} p99 {ack['p99_us'] / 1e3:.1f} max"
            f" {ack['max_us'] / 1e3:.1f}, delivery p50 {delivery['p50_us'] / 1e3:.1f}"
            f" p99 {delivery['p99_us'] / 1e3:.1f} max {delivery['max_us'] / 1e3:.1f};"
            f" load {part['load_cpu_seconds'] / part['seconds']:.0%} of a core"
        )
    for number in range(2):
        before, peak, last = (
            found[f"memory {when}"][number] / 2**20
            for when in ("before", "peak", "after")
        )
        said.append(
            f"memory of survivor {number + 1}: {before:.1f} MiB, peak {peak:.1f}"
            f" ({peak / before:.2f} ×), after {last:.1f} ({last / before:.2f} ×)"
        )
    names = ("survivor 1", "survivor 2", "Valkey")
    used = zip(names, found["cpu"], strict=True)
    said.append(
        "CPU in the storm: " + ", ".join(f"{name} {cpu:.2f} s" for name, cpu in used)
    )
    for phase, calls in found["calls"].items():
        named = ", ".join(f"{name} {calls[name]}" for name in sorted(calls))
        said.append(f"Redis calls, {phase}: {named}")
    return said


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.storm", description=__doc__)
    parser.add_argument("--victims", type=int, default=5_000)
    parser.add_argument("--others", type=int, default=1_000, help="at each other node")
    parser.add_argument("--rooms", type=int, default=100)
    parser.add_argument("--rate", type=float, default=100.0, help="messages a second")
    parser.add_argument("--calm", type=float, default=CALM_SECONDS)
    parser.add_argument("--after", type=float, default=AFTER_SECONDS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--settings", nargs="*", default=[], metavar="CHATROOM_X=Y")
    parser.add_argument("--attack", choices=strangers(SOURCE_PAGE), help="meanwhile")
    parser.add_argument("--report", type=Path, help="all figures, as JSON")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = _arguments()
    raise_descriptor_limit()
    program = compile_load(BUILD, "crowd")
    results = []
    for number in range(given.runs):
        with tempfile.TemporaryDirectory(prefix="chatroom-storm-") as folder:
            began = time.monotonic()
            found = storm(given, Path(folder), program)
        results.append(found)
        print(f"run {number + 1}, {time.monotonic() - began:.0f} s")
        print("\n".join(f"  {line}" for line in lines(found)), flush=True)
    if given.report:
        given.report.write_text(json.dumps(results, indent=1))
    last = [each["storm"].get("back_last", STORM_SECONDS) for each in results]
    print(json.dumps(describe()))
    print(
        f"last of {given.victims} back after {statistics.median(last):.2f} s"
        f" ({min(last):.2f}–{max(last):.2f}); to reach: {BOUND_SECONDS:.0f} s"
    )


if __name__ == "__main__":
    main()
