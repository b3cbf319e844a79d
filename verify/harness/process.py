"""The processes of a run: a Valkey and nodes that may be killed and stopped."""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime.redis.valkey_process import SOCKET_NAME, die_with_parent, valkey_command
from realtime.start_error import StartError

READY_SECONDS = 30.0
"""Longest start of a process, on a machine that is busy with faults."""

LOOK_SECONDS = 0.02
"""Between two looks whether Valkey answers; it takes about 40 ms."""

ADMIN_SECONDS = 2.0
"""Deadline of one command of the run's own to Valkey."""

AOF_FOLDER = "appendonlydir"
"""Where Valkey keeps its append-only file, within its folder."""

KEPT_FOLDER = "kept"
"""Where a copy of that is kept, within the same folder."""

READY_LINE = re.compile(rb"https?://[^\s:]+:(\d+)")


class ChildProcess:
    """A child that dies with this process, its output in a file."""

    def __init__(self, log_path: Path) -> None:
        self.log_path = log_path
        self._read_log = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives, stopped or not."""
        return self._process is not None and self._process.returncode is None

    async def spawn(
        self, command: Sequence[str], *, stdout: int | None, env: Mapping[str, str]
    ) -> asyncio.subprocess.Process:
        """Start it, its output in the log but where ``stdout`` says otherwise."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log if stdout is None else stdout,
                stderr=log,
                env=dict(env),
                preexec_fn=die_with_parent(),
                # Ctrl-C is for the run, which ends its processes last.
                start_new_session=True,
            )
        return self._process

    async def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        await self.signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int | None:
        """Wait for the end and return the exit code."""
        return None if self._process is None else await self._process.wait()

    def new_log(self) -> str:
        """Return what was logged since the last call."""
        with self.log_path.open("rb") as log:
            log.seek(self._read_log)
            text = log.read()
        self._read_log += len(text)
        return text.decode(errors="replace")

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of the log."""
        if not self.log_path.exists():
            return ""
        text = self.log_path.read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


class ValkeyProcess(ChildProcess):
    """A Valkey with an append-only file, to be killed and started again.

    Args:
        folder: Of its data, its socket and its log.
        lazy: Whether it answers before a write is on disk, as is common.
    """

    def __init__(self, folder: Path, *, lazy: bool = False) -> None:
        super().__init__(folder / "valkey.log")
        self._folder = folder
        self._options = ("--appendfsync", "everysec") if lazy else ()
        self.socket = folder / SOCKET_NAME
        self.admin = Redis(
            unix_socket_path=str(self.socket),
            socket_timeout=ADMIN_SECONDS,
            socket_connect_timeout=ADMIN_SECONDS,
        )

    async def start(self) -> None:
        """Start on the data there is; return when its data is loaded.

        Raises:
            StartError: It does not answer.
        """
        command = [*valkey_command(self._folder, self.socket), *self._options]
        process = await self.spawn(command, stdout=None, env=os.environ)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not await self._answers():
                    if process.returncode is not None:
                        raise StartError(f"Valkey ended:\n{self.log_tail()}")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise StartError(f"Valkey does not answer:\n{self.log_tail()}") from None

    def save_tail(self) -> None:
        """Keep the data as it is now, for :meth:`lose_tail`."""
        keep_data(self._folder)

    def lose_tail(self) -> None:
        """Go back to the data that was kept, as a failover does to a replica's.

        The process must have ended.
        """
        bring_back_data(self._folder)

    async def aclose(self) -> None:
        """End it."""
        await self.admin.aclose()
        await self.kill()

    async def _answers(self) -> bool:
        try:
            return bool(await self.admin.ping())
        except (RedisError, OSError):
            return False


class NodeProcess(ChildProcess):
    """One node, started by a command that ends with ``serve`` and its flags.

    ``turn`` is held by the fault that strikes it, until it serves again: on a busy
    machine that may be when the next one is due.

    Args:
        command: What runs the ``chatroom`` command.
        redis_url: Where its Redis is; may be changed until it starts.
        log_path: Takes its log, over all starts.
        variables: Environment variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        redis_url: str,
        log_path: Path,
        variables: Mapping[str, str],
    ) -> None:
        super().__init__(log_path)
        self.redis_url = redis_url
        self._command = (*command, "serve", "--host", "127.0.0.1", "--port", "0")
        self._variables = variables
        self._output: asyncio.Task[None] | None = None
        self.turn = asyncio.Lock()
        self.port = 0

    async def start(self) -> None:
        """Start and return when it serves; its port is another one each time.

        Raises:
            StartError: It ended, or says nothing.
        """
        process = await self.spawn(
            (*self._command, "--redis-url", self.redis_url),
            stdout=asyncio.subprocess.PIPE,
            env=self._variables,
        )
        if process.stdout is None:
            raise StartError("The node's output cannot be read.")
        try:
            async with asyncio.timeout(READY_SECONDS):
                port = await _announced_port(process.stdout)
        except (TimeoutError, ValueError):
            await self.kill()
            raise StartError(f"A node does not start:\n{self.log_tail()}") from None
        self.port = port
        self._output = asyncio.create_task(_drain(process.stdout), name="node-output")

    async def ended(self) -> int | None:
        """Wait for the end and return the exit code."""
        code = await super().ended()
        if self._output is not None:
            await self._output
        return code


def keep_data(folder: Path) -> None:
    """Keep a copy of the data of a Valkey as it is now; it may go on."""
    shutil.rmtree(folder / KEPT_FOLDER, ignore_errors=True)
    shutil.copytree(folder / AOF_FOLDER, folder / KEPT_FOLDER)


def bring_back_data(folder: Path) -> None:
    """Give a Valkey that has ended the data that were kept last."""
    shutil.rmtree(folder / AOF_FOLDER)
    shutil.copytree(folder / KEPT_FOLDER, folder / AOF_FOLDER)


async def _announced_port(output: asyncio.StreamReader) -> int:
    while line := await output.readline():
        if found := READY_LINE.search(line):
            return int(found[1])
    raise ValueError("the output ended")


async def _drain(output: asyncio.StreamReader) -> None:
    """Take what the node prints, so that its pipe never fills up."""
    while await output.read(4096):
        pass
