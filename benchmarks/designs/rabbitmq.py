"""A RabbitMQ with its STOMP over WebSocket, as Debian packages it."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import free_port, running, wait_ready

# The broker itself: the command beside it asks for root or for a user of its own.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def is_installed() -> bool:
    """Return whether this machine has it (Debian's ``rabbitmq-server``)."""
    return SERVER.exists()


@contextlib.contextmanager
def running_rabbitmq(folder: Path, core: int) -> Iterator[tuple[int, int]]:
    """Run a broker on one core; yield its process and the port of its WebSockets.

    All that it writes is in the folder; its port mapper ends with it.
    """
    plugins, config = folder / "plugins", folder / "rabbitmq.conf"
    plugins.write_text("[rabbitmq_web_stomp].")
    stomp, sockets, amqp, mapper = (free_port() for _ in range(4))
    config.write_text(
        f"listeners.tcp.default = 127.0.0.1:{amqp}\n"
        f"stomp.listeners.tcp.1 = 127.0.0.1:{stomp}\n"
        f"web_stomp.tcp.ip = 127.0.0.1\nweb_stomp.tcp.port = {sockets}\n"
    )
    environment = {
        "HOME": str(folder),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_NODENAME": "bench@localhost",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    log = folder / "rabbitmq.log"
    try:
        with running(
            (str(SERVER),), core=core, log=log, environment=environment
        ) as broker:
            wait_ready(broker, sockets, None)
            yield _emulator(broker.pid), sockets
    finally:
        subprocess.run(
            ("epmd", "-port", str(mapper), "-kill"),
            check=False,
            capture_output=True,
            env={**os.environ, **environment},
        )


def _emulator(script: int) -> int:
    """Return the process that works: the script's own, or the child it waits for."""
    children = Path(f"/proc/{script}/task/{script}/children").read_text().split()
    name = Path(f"/proc/{script}/comm").read_text()
    return script if name.startswith("beam") or not children else int(children[-1])
