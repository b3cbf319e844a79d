"""All sessions of a server come back at once, to another one that has a core."""

import contextlib
import os
from pathlib import Path

from benchmarks.load_generator import Crowd, Figures
from benchmarks.machine import LOAD_CORE, SERVER_CORE, cpu_seconds
from benchmarks.processes import free_port, running, running_valkey, wait_ready
from benchmarks.servers import Server, Start
from benchmarks.stage import TEXT_BYTES

# Sessions of the server that they come back to: their acks tell what is felt there.
OTHERS = 500
ROOM_SESSIONS = 10

# Messages a second, of the others and of whoever is there.
RATE = 100

CONNECT_SECONDS = 120.0
CALM_SECONDS = 3.0
# Longest wait for the last one to have joined.
BACK_SECONDS = 60.0


def come_back(
    server: Server, count: int, *, folder: Path, program: Path, tokens: Path
) -> Figures:
    """Kill a server with this many sessions; they come to a second one, with a core.

    Each comes 0.5 to 1.5 s later, as socket.io-client does, and joins its one or two
    rooms again.

    Args:
        server: Both of them.
        count: Sessions that come.
        folder: For logs and data.
        program: The crowd, compiled.
        tokens: What to say at CONNECT, for all sessions.

    Raises:
        RuntimeError: Not all could connect at first, or a server ended.
    """
    with contextlib.ExitStack() as stack:
        _, redis_port = stack.enter_context(running_valkey(folder, LOAD_CORE))
        started = []
        for name in ("first", "second"):
            data_dir = folder / name
            data_dir.mkdir()
            start = Start(
                port=free_port(),
                redis_url=f"redis://127.0.0.1:{redis_port}",
                data_dir=data_dir,
                raw_program=Path(os.devnull),
            )
            process = stack.enter_context(
                running(
                    server.command(start),
                    core=LOAD_CORE if name == "first" else SERVER_CORE,
                    log=folder / f"{name}.log",
                    environment=server.environment(start),
                )
            )
            wait_ready(process, start.port, server.ready_path)
            started.append((process, start.port))
        (first, _), (second, _) = started
        command = [str(program), str(tokens), str(count), str(OTHERS)]
        command += [str(count // ROOM_SESSIONS), str(RATE), str(TEXT_BYTES)]
        command += [str(port) for _, port in started]
        crowd = Crowd(
            stack.enter_context(
                running(command, core=LOAD_CORE, log=folder / "crowd.log", piped=True)
            )
        )
        joined = crowd.ask("connect", CONNECT_SECONDS)
        if joined["joined"] != count + OTHERS:
            raise RuntimeError(f"{joined['joined']} joined: {joined['error']}")
        crowd.ask("run", 1.0)
        calm = crowd.ask("run", CALM_SECONDS)
        before = cpu_seconds(second.pid)
        found = crowd.ask(f"storm {first.pid}", BACK_SECONDS)
        if second.poll() is not None:
            raise RuntimeError(f"{server.name} ended when they came back; see its log")
        back = found.get("back", 0)
        return {
            "back": back,
            "last_seconds": found["back_last"] if back == count else None,
            "half_seconds": found.get("back_p50"),
            "ack_p99_ms": found["ack"]["p99_us"] / 1e3,
            "ack_max_ms": found["ack"]["max_us"] / 1e3,
            "calm_ack_p99_ms": calm["ack"]["p99_us"] / 1e3,
            "failed_attempts": found["failed_attempts"],
            "refused_connects": found["refused_connects"],
            "timeouts": found["timeouts"],
            "complaint": found["error"],
            "lost": found["lost"],
            "cpu_us": (cpu_seconds(second.pid) - before) * 1e6 / count,
            "load": found["load_cpu_seconds"] / found["seconds"],
        }
