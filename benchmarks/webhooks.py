"""What webhooks cost: ``python -m benchmarks.webhooks``, sends with and without.

One node on its core; Redis, the load and the application on the other. In turn: nobody
is told; an application takes everything; an application that is down, so that all of it
waits. At one rate of sends, and once with as many as go.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases import QUICK, Sizes, send
from benchmarks.load_generator import BUILD, Figures, compile_programs
from benchmarks.machine import LOAD_CORE
from benchmarks.processes import (
    free_port,
    raise_descriptor_limit,
    running,
    running_valkey,
    wait_ready,
)
from benchmarks.servers import CHATROOM, Server, chatroom_environment
from benchmarks.stage import stage
from benchmarks.tokens import write_tokens
from realtime.redis.client import RedisClient
from realtime.redis.url import connection_factory
from realtime.store import keys, scripts
from realtime.store.message_log import MessageLog
from realtime.store.outbox import Outbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MODES = ("off", "told", "down")
ROOMS = 100
SESSIONS = 200
# Of one round, into all rooms in turn.
APPENDS = 2_000
# For all that is queued to arrive.
DRAIN_SECONDS = 30.0


def server(mode: str, folder: Path, port: int) -> Server:
    """Return a node whose webhooks go to a port."""
    more = {}
    if mode != "off":
        path = folder / "hooks.toml"
        path.write_text(
            f'[[hook]]\nid = "app"\nsecrets = ["{SECRET}"]\n'
            f'url = "http://127.0.0.1:{port}/"\n'
        )
        more = {
            "CHATROOM_HOOKS_FILE": str(path),
            "CHATROOM_HOOK_ALLOW": "127.0.0.1",
            "CHATROOM_HOOK_QUEUE_BYTES": str(1024**3),
        }
    return Server(
        name=f"hooks-{mode}",
        title=f"webhooks: {mode}",
        command=lambda start: [*CHATROOM, "--port", str(start.port)],
        environment=lambda start: {
            **chatroom_environment(start.redis_url, start.data_dir),
            "CHATROOM_RATES": "off",
            **more,
        },
        ready_path="/readyz",
    )


@contextmanager
def sink(folder: Path, port: int, *, is_there: bool) -> Iterator[None]:
    """Run the application, if it is there."""
    if not is_there:
        yield
        return
    command = [sys.executable, "-m", "benchmarks.hook_sink", str(port)]
    with running(command, core=LOAD_CORE, log=folder / "sink.log") as process:
        wait_ready(process, port, None)
        yield


def told(port: int) -> Figures:
    """Return what the application counted."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        found: Figures = json.load(answer)
    return found


def measure(
    mode: str, how: str, folder: Path, programs: tuple[Path, Path], sizes: Sizes
) -> Figures:
    """Have 200 sessions in 100 rooms send, and return what it cost."""
    port = free_port()
    tokens = write_tokens(
        folder / "tokens", (f"u{number}" for number in range(SESSIONS))
    )
    with (
        sink(folder, port, is_there=mode == "told"),
        stage(
            server(mode, folder, port),
            folder=folder,
            programs=programs,
            tokens=tokens,
        ) as staged,
    ):
        group = staged.load.connect(SESSIONS, ROOMS, "hooks-")["group"]
        found = send(staged, group, how, sizes, seconds=sizes.seconds)
        figures = {
            "sent_a_second": found["sent"] / found["seconds"],
            "server_us": found["cpu_us_a_message"],
            "redis_us": found["redis_us_a_message"],
            "ack_p50_ms": found["ack"]["p50_us"] / 1e3,
            "ack_p99_ms": found["ack"]["p99_us"] / 1e3,
            "clean": found["clean"],
        }
        if mode == "told":
            figures |= _arrivals(port)
    return figures


def _arrivals(port: int) -> Figures:
    """Return how what was sent arrived, when nothing comes any more."""
    until = time.monotonic() + DRAIN_SECONDS
    count = -1
    while time.monotonic() < until:
        found = told(port)
        if found["count"] == count:
            break
        count = found["count"]
        time.sleep(1.0)
    return {f"told_{name}": value for name, value in found.items()}


async def path_cost(folder: Path, rounds: int) -> dict[str, list[float]]:
    """Return CPU microseconds of this process an append, with and without marks.

    What a send itself pays where somebody is told: all else happens after its answer.
    In alternation, so that both have the same neighbours.
    """
    found: dict[str, list[float]] = {"off": [], "on": []}
    with running_valkey(folder, LOAD_CORE) as (_process, port):
        redis = RedisClient(
            connection_factory(f"redis://127.0.0.1:{port}", timeout_seconds=30),
            timeout_seconds=30,
            limit_calls=APPENDS,
            scripts=scripts.ALL,
        )
        redis.start()
        outbox = Outbox(redis, node="bench")
        log = MessageLog(
            redis,
            remember_seconds=60,
            log_limit=10_000,
            log_age_ms=3_600_000,
            history_limit=10_000,
            outbox=outbox,
        )
        for room in range(ROOMS):
            await redis.call("HSET", keys.members(f"r{room}"), "u", '{"role":"member"}')
        for turn in range(rounds):
            for mode in ("off", "on") if turn % 2 else ("on", "off"):
                outbox.active = mode == "on"
                began = time.process_time()
                for batch in range(APPENDS // ROOMS):
                    await asyncio.gather(
                        *(
                            log.append(
                                room=f"r{room}",
                                user="u",
                                client_id=f"{turn}-{mode}-{batch}",
                                content={"type": "text", "text": "x" * 100},
                            )
                            for room in range(ROOMS)
                        )
                    )
                found[mode].append((time.process_time() - began) * 1e6 / APPENDS)
        await redis.aclose()
    return found


def print_path(rounds: int) -> None:
    """Print what marks add to a send."""
    with TemporaryDirectory(prefix="chatroom-bench-") as name:
        found = asyncio.run(path_cost(Path(name), rounds))
    ratios = [on / off for on, off in zip(found["on"], found["off"], strict=True)]
    medians = {mode: round(statistics.median(each), 1) for mode, each in found.items()}
    print(json.dumps(medians | {"ratio": round(statistics.median(ratios), 3)}))


def main() -> None:
    """Measure in turn, and print the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=1_000, help="sends a second")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--path", action="store_true", help="only what is added to a send itself"
    )
    given = parser.parse_args()
    if given.path:
        print_path(given.rounds)
        return
    sizes = QUICK if given.quick else Sizes()
    raise_descriptor_limit()
    programs = compile_programs(BUILD)
    runs: dict[str, list[Figures]] = {}
    with TemporaryDirectory(prefix="chatroom-bench-") as name:
        for _ in range(given.rounds):
            for how in (f"rate {given.rate}", "closed 64"):
                for mode in MODES:
                    found = measure(mode, how, Path(name), programs, sizes)
                    label = f"{mode} {'rate' if 'rate' in how else 'full'}"
                    runs.setdefault(label, []).append(found)
                    print(label, json.dumps(found), file=sys.stderr, flush=True)
    for label, found in runs.items():
        medians = {
            key: round(statistics.median(float(each[key]) for each in found), 2)
            for key in found[0]
        }
        print(label, json.dumps(medians))


if __name__ == "__main__":
    main()
