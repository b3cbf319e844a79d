"""The web client as a recorder: a program in Node that writes the same history."""

import asyncio
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from realtime.redis.valkey_process import die_with_parent
from verify.history import History, from_line
from verify.recorder import TEXT_LENGTHS

PROGRAM = Path(__file__).with_name("recorder.mjs")

# In a checkout, with its packages installed; an installed server has no web client.
WEB = Path(__file__).resolve().parents[2] / "clients" / "js-demo"
MODULE = WEB / "src" / "chatroom-client.js"

LINE_LIMIT_BYTES = 1024 * 1024
"""Longest line of the program; a standing of many rooms is some KB."""

END_SECONDS = 5.0
"""Deadline of the program's end after its input was closed."""


def can_run() -> bool:
    """Tell whether Node and the web client's packages are there."""
    packages = WEB / "node_modules" / "socket.io-client"
    return shutil.which("node") is not None and packages.is_dir() and MODULE.is_file()


class WebRecorder:
    """One client of one user, in a Node process of its own.

    Args:
        client: Name of the client, unique in the run.
        user: User id.
        auth: Credentials for the connect.
        url: Where it connects; what is behind may change between connects.
        rooms: Rooms that it attends all the time.
        rng: Source of its decisions.
        ca: Certificates to trust besides the usual ones.
    """

    def __init__(
        self,
        client: str,
        user: str,
        *,
        auth: Mapping[str, object],
        url: str,
        rooms: Sequence[str],
        rng: random.Random,
        ca: Path | None = None,
    ) -> None:
        self.history = History(client, user)
        self.rooms = tuple(rooms)
        self._auth = dict(auth)
        self._url = url
        self._rng = rng
        self._ca = ca
        self._process: asyncio.subprocess.Process | None = None
        self._standing: dict[str, Any] = {}

    @property
    def client(self) -> str:
        """Its name."""
        return self.history.client

    def send(self, room: str, _client_id: str) -> None:
        """Send a message; the client itself chooses the clientId."""
        length = self._rng.randint(1, self._rng.choice(TEXT_LENGTHS))
        self._command("send", room=room, length=length)

    async def mark_read(self, room: str, message: int) -> None:
        """Mark a message as read."""
        self._command("read", room=room, message=message)

    async def reconnect(self) -> None:
        """Cut the connection."""
        self._command("cut")

    def last_message(self, room: str) -> int:
        """Return the number of the newest message shown in a room."""
        return int(self._room(room).get("last_message", 0))

    def offsets(self) -> dict[str, int]:
        """Return the highest offset that it knows of in each room."""
        return {room: int(self._room(room).get("known", 0)) for room in self.rooms}

    def missing(self, tops: Mapping[str, int]) -> str:
        """Say what is still to come until all rooms are at their tops."""
        if not self._standing:
            return "the program has not begun"
        trouble = self._standing["trouble"] or "no trouble"
        if unsent := self._standing["unsent"]:
            return f"{unsent} messages unsent ({trouble})"
        for room in self.rooms:
            standing = self._room(room)
            if not standing["attended"]:
                return f"does not attend {room} ({trouble})"
            if standing["shown"] < tops.get(room, 0):
                return f"is at offset {standing['shown']} of {tops[room]} in {room}"
        return ""

    async def run(self) -> None:
        """Run the program until cancelled.

        Raises:
            RuntimeError: It ended by itself.
        """
        given = {
            "module": MODULE.as_uri(),
            "url": self._url,
            "user": self.history.user,
            "auth": self._auth,
            "rooms": self.rooms,
        }
        self._process = process = await asyncio.create_subprocess_exec(
            "node",
            str(PROGRAM),
            orjson.dumps(given).decode(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
            env={**os.environ, **self._trust()},
            preexec_fn=die_with_parent(),
            start_new_session=True,
        )
        try:
            await self._read(process)
        finally:
            await _end(process)
        raise RuntimeError(f"{self.client} ended by itself")

    def _trust(self) -> dict[str, str]:
        return {} if self._ca is None else {"NODE_EXTRA_CA_CERTS": str(self._ca)}

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            if line.startswith(b'{"kind":"standing"'):
                self._standing = orjson.loads(line)
            else:
                self.history.records.append(from_line(line))

    def _room(self, room: str) -> dict[str, Any]:
        standing: dict[str, Any] = self._standing.get("rooms", {}).get(room, {})
        return standing

    def _command(self, command: str, **members: object) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            line = orjson.dumps({"command": command, **members})
            process.stdin.write(line + b"\n")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program: it does so when its input is closed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
