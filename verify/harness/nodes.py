"""A node as a process of its own: ``chatroom serve``."""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from verify.harness.process import ChildProcess

HOST = "127.0.0.1"
NODE_COMMAND = (sys.executable, "-m", "realtime")

# What a node prints when it serves; the group is its port.
READY_LINE = re.compile(r"^(?:Chat room:|Serving at) https?://\S+:(\d+)", re.M)


class NodeProcess(ChildProcess):
    """A node on loopback; settings of this process (``CHATROOM_*``) are not handed on.

    Args:
        flags: More of ``serve``'s own.
        log: File that takes its output, over all starts.
        command: What runs the ``chatroom`` command; another one for a node with a
            deliberate defect.
        port: Where it listens; 0: on a free port, another one each time.
        environment: Variables besides this process's own.
    """

    def __init__(
        self,
        *flags: str,
        log: Path,
        command: Sequence[str] = NODE_COMMAND,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(log)
        self._command = (*command, "serve", "--host", HOST, "--port", str(port), *flags)
        own = os.environ.items()
        inherited = {name: text for name, text in own if name[:9] != "CHATROOM_"}
        self._environment = {**inherited, **(environment or {})}
        self.port = port

    @property
    def url(self) -> str:
        """Where it serves, once it is ready."""
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it and return at once."""
        self.spawn(self._command, self._environment)

    def is_serving(self) -> bool:
        """Tell whether it has said where it serves."""
        found = READY_LINE.search(self.output)
        self.port = int(found[1]) if found else self.port
        return found is not None
