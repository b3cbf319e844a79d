"""The web client among the others: a program in Node that writes the same history."""

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from realtime.redis.valkey_process import die_with_parent
from verify.client.client import TEXT_LENGTHS, Client
from verify.history import from_line

PROGRAM = Path(__file__).with_name("web_client.mjs")

# In a checkout, once built by `make page`; an installed server has no client package.
MODULE = (
    Path(__file__).resolve().parents[2]
    / "clients"
    / "chat-client"
    / "dist"
    / "index.js"
)

# Longest line of the program; they are some KB.
LINE_LIMIT_BYTES = 1024 * 1024


def can_run() -> bool:
    """Tell whether Node and the built client package are there."""
    return shutil.which("node") is not None and MODULE.is_file()


@dataclass(eq=False, kw_only=True)
class WebClient(Client):
    """A client on the module that pages use, in a Node process of its own.

    Attributes:
        url: Where it connects; what is behind may change between connects.
        ca: Certificates to trust besides the usual ones.
    """

    url: str
    ca: Path | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._process: asyncio.subprocess.Process | None = None

    def ask(
        self, room: str, client_id: str, name: str = "send", **args: object
    ) -> None:
        """Send a message, whose clientId the client itself chooses; nothing else."""
        length = self.rng.randint(1, self.rng.choice(TEXT_LENGTHS))
        if name == "send":
            self._command("send", room=room, length=length)

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read."""
        self._command("read", room=room, message=message)

    async def reconnect(self) -> None:
        """Cut the connection."""
        self._command("cut")

    async def run(self) -> None:
        """Run the program until cancelled.

        Raises:
            RuntimeError: It ended by itself.
        """
        members = ("url", "user", "auth", "rooms")
        given = {"module": MODULE.as_uri()}
        given |= {name: getattr(self, name) for name in members}
        trusted = {} if self.ca is None else {"NODE_EXTRA_CA_CERTS": str(self.ca)}
        self._process = process = await asyncio.create_subprocess_exec(
            *("node", str(PROGRAM), orjson.dumps(given).decode()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
            env={**os.environ, **trusted},
            preexec_fn=die_with_parent(),
            start_new_session=True,
        )
        try:
            if process.stdout is not None:
                async for line in process.stdout:
                    self._take(line)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        raise RuntimeError(f"{self.name} ended by itself")

    def _take(self, line: bytes) -> None:
        if not line.startswith(b'{"kind":"standing"'):
            self.write(from_line(line))
            return
        standing = orjson.loads(line)
        self.unsent, self.trouble = standing["unsent"], standing["trouble"]
        for room, position in self.positions.items():
            position.attended = room in standing["attended"]

    def _command(self, command: str, **members: object) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            line = orjson.dumps({"command": command, **members})
            process.stdin.write(line + b"\n")
