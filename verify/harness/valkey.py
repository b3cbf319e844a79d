"""A real Valkey that can be killed, paused, started again and lose its last seconds."""

import random
import shutil
import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import redis

from realtime.redis.valkey_process import LOG_NAME, SOCKET_NAME, valkey_command
from verify.harness.process import ChildProcess

# Options of a Valkey that answers before a write is on disk, as is common.
LAZY = ("--appendfsync", "everysec")

# Where Valkey keeps its append-only file, within its folder.
AOF_FOLDER = "appendonlydir"

HOST = "127.0.0.1"

# Below those that Linux and others give to connections.
PORTS = range(10_000, 32_000)

# Where a copy of that is kept, within the same folder.
KEPT_FOLDER = "kept"


class Valkey(ChildProcess):
    """A Valkey that begins with what was answered before it died.

    Attributes:
        url: Where it listens.
        admin: A client of its own, for what it is told and asked beside the nodes.

    Args:
        folder: Of its data, its socket and its log; as a socket's path has to be short,
            so has this one.
        options: More of its command line.
        port: Where it listens on loopback; 0: on a unix socket in the folder.
    """

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        super().__init__(folder / LOG_NAME)
        self.folder = folder
        self.socket = folder / SOCKET_NAME
        self.url = f"unix://{self.socket}"
        if port:
            self.url = f"redis://127.0.0.1:{port}"
            options += ("--port", str(port), "--bind", "127.0.0.1", "--unixsocket", "")
        self._options = options
        self.admin: redis.Redis = redis.Redis.from_url(self.url)

    def start(self, *options: str) -> None:
        """Start on the data there is, with more options for this start only."""
        self.spawn([*self.command(), *options])

    def command(self) -> list[str]:
        """Return its command line, the program first."""
        return [*valkey_command(self.folder, self.socket), *self._options]

    def is_serving(self) -> bool:
        """Tell whether it lives and its data is loaded."""
        try:
            return self.running and bool(self.admin.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    def keep(self) -> None:
        """Keep a copy of the data as it is now, for :meth:`go_back`."""
        shutil.rmtree(self.folder / KEPT_FOLDER, ignore_errors=True)
        shutil.copytree(self.folder / AOF_FOLDER, self.folder / KEPT_FOLDER)

    def go_back(self) -> None:
        """Die and lose all since :meth:`keep`, as by a power cut or a failover."""
        self.kill()
        shutil.rmtree(self.folder / AOF_FOLDER)
        shutil.copytree(self.folder / KEPT_FOLDER, self.folder / AOF_FOLDER)

    def close(self) -> None:
        """End it; its data stays."""
        self.admin.close()
        self.kill()


def free_ports(count: int) -> list[int]:
    """Return TCP ports of loopback that were free a moment ago.

    None is one that the system gives to connections meanwhile: there are many.
    """
    chosen: list[int] = []
    with ExitStack() as stack:
        while len(chosen) < count:
            port = random.SystemRandom().choice(PORTS)
            with suppress(OSError):
                stack.enter_context(socket.create_server((HOST, port)))
                chosen.append(port)
    return chosen
