"""``chatroom chat`` as people use it: at a terminal, and in a pipe."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kit.nodes import Node, NodeProcess
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

CHUNK_BYTES = 65_536


def command(node: Node | NodeProcess, room: str, *flags: str) -> list[str]:
    """Return the command line."""
    start = [sys.executable, "-m", "realtime", "chat", room]
    return [*start, "--url", node.url, *flags]


def environment(**variables: str) -> dict[str, str]:
    """Return this process's variables without what decides on colours, and more."""
    own = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    return {**own, "TERM": "xterm", **variables}


async def pipe(
    given: str | bytes, *arguments: str, **variables: str
) -> tuple[int | None, str, str]:
    """Run a command line on an input; return exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(**variables),
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            data = given.encode() if isinstance(given, str) else given
            out, errors = await process.communicate(data)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"Traceback" not in errors, errors.decode()
    return process.returncode, out.decode(), errors.decode()


class Terminal:
    """A running command at a terminal of its own."""

    def __init__(self, arguments: list[str], **variables: str) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(**variables),
            # Its terminal is the controlling one: Ctrl-C is a byte that it is sent.
            start_new_session=True,
            preexec_fn=_control,
        )
        os.close(slave)
        self._data = b""
        asyncio.get_running_loop().add_reader(self._master, self._read)

    @property
    def raw(self) -> str:
        """All that was written to the terminal, as it was."""
        return self._data.decode(errors="replace")

    @property
    def text(self) -> str:
        """The same without colours."""
        return re.sub(r"\x1b\[\d+m", "", self.raw)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._master, line.encode() + b"\n")

    def press(self, key: bytes) -> None:
        """Press Ctrl and a letter."""
        os.write(self._master, key)

    async def shows(self, text: str) -> None:
        """Wait until it shows a text."""
        await wait_until(lambda: text in self.text, f"{text!r} in {self.text!r}")

    async def ended(self) -> int:
        """Wait for the end; return the exit code."""
        await wait_until(lambda: self.process.poll() is not None, self.text)
        assert "Traceback" not in self.text, self.text
        return int(self.process.returncode)

    def close(self) -> None:
        """End it, if it has not ended."""
        asyncio.get_running_loop().remove_reader(self._master)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def _read(self) -> None:
        try:
            chunk = os.read(self._master, CHUNK_BYTES)
        except OSError:
            chunk = b""
        self._data += chunk
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._master)


def _control() -> None:
    import fcntl
    import termios

    # Whoever started the tests in the background may have left it ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@asynccontextmanager
async def terminal(
    node: Node | NodeProcess, room: str, user: str, *flags: str, **variables: str
) -> AsyncIterator[Terminal]:
    """Chat at a terminal until the block ends; it has entered the room."""
    made = Terminal(command(node, room, "--user", user, *flags), **variables)
    try:
        await made.shows(f"in {room} at")
        yield made
    finally:
        made.close()
