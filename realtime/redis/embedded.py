"""The embedded Valkey: one for a data folder, kept alive by whichever node lives.

A lock on a file in the data folder decides which node starts Valkey; the others join
through its socket. Valkey inherits the open lock, so the folder stays taken until node
and Valkey are both gone, and no second Valkey can ever write to the same files. When
the owner dies its Valkey dies with it, and the first of the others to get the lock
starts Valkey again on the same data.
"""

import asyncio
import fcntl
import logging
import os
import time
from pathlib import Path

from realtime.errors import StartError
from realtime.redis.valkey_process import (
    LOG_NAME,
    die_with_parent,
    remove_socket_folder,
    socket_path,
    valkey_command,
)

_logger = logging.getLogger(__name__)

LOCK_NAME = "valkey.lock"
# How often a joined node tries the lock: one cheap system call, and the largest part
# of the time that a takeover takes.
LOCK_LOOK_SECONDS = 0.2
# How often a starting Valkey is asked whether it is ready; it takes about 40 ms.
READY_LOOK_SECONDS = 0.02
# Longest silence of a starting Valkey. One that loads its data answers all the while
# and is waited for.
READY_SECONDS = 10.0
# Pause after a Valkey that could not be started again: a full disk, for example.
RESTART_SECONDS = 1.0
# Time to write the data out at the end, then it is killed; what was acknowledged is
# in the kernel's hands already.
STOP_SECONDS = 10.0
# The log is moved aside at a start when it is larger; one older log is kept.
LOG_LIMIT_BYTES = 4 * 1024 * 1024
# How much of the log goes into the error of a Valkey that ended.
LOG_TAIL_LINES = 5


class EmbeddedValkey:
    """This node's part in the Valkey of a data folder.

    Args:
        data_dir: The folder; made when there is none.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.resolve()
        self._socket = Path()
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address for clients; valid after :meth:`start`."""
        return f"unix://{self._socket}"

    @property
    def owner(self) -> bool:
        """Whether Valkey is a child of this process."""
        return self._lock is not None

    async def start(self) -> None:
        """Start Valkey or join the one that runs; return when it answers.

        Raises:
            StartError: when it cannot be started, with the reason.
        """
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._socket = socket_path(self._data_dir)
            await self._own_or_join()
        except BaseException as error:
            await self.aclose()
            if isinstance(error, OSError):
                raise StartError(f"The data folder cannot be used: {error}") from error
            raise
        self._watcher = asyncio.create_task(self._watch(), name="embedded-valkey")

    async def aclose(self) -> None:
        """Stop Valkey, if it is ours, after it has written everything out."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        await self._stop_process()
        if self._lock is not None:
            remove_socket_folder(self._data_dir)
            os.close(self._lock)
            self._lock = None

    async def _own_or_join(self) -> None:
        silence = _Silence()
        while self._lock is None:
            self._lock = self._try_lock()
            if self._lock is not None:
                await self._start_process(self._lock)
            elif await self._ready(silence):
                return
            elif silence.too_long:
                raise StartError(
                    f"Another process holds {self._data_dir / LOCK_NAME}, but no"
                    f" Valkey answers at {self._socket}. Stop that process, or choose"
                    " another --data-dir."
                )

    def _try_lock(self) -> int | None:
        """Take the folder's lock if nobody has it; return its descriptor."""
        descriptor = os.open(
            self._data_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    async def _watch(self) -> None:
        """Start Valkey again whenever it is this node's turn, until cancelled."""
        while True:
            if self._process is not None:
                code = await self._process.wait()
                _logger.error(
                    "The embedded Valkey ended (%d) and is started again.", code
                )
            elif self._lock is None:
                self._lock = self._try_lock()
            if self._lock is None:
                await asyncio.sleep(LOCK_LOOK_SECONDS)
                continue
            try:
                await self._start_process(self._lock)
                _logger.warning("The embedded Valkey runs again, as this node's child.")
            except (StartError, OSError) as error:
                _logger.error("The embedded Valkey does not start: %s", error)
                await self._stop_process()
                await asyncio.sleep(RESTART_SECONDS)

    async def _start_process(self, lock: int) -> None:
        """Start Valkey and return when its data is loaded."""
        # Again, because an owner that left in good order removed the socket's folder.
        self._socket = socket_path(self._data_dir)
        log_path = self._data_dir / LOG_NAME
        _move_aside(log_path)
        with log_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *valkey_command(self._data_dir, self._socket),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(lock,),
                preexec_fn=die_with_parent(),
                # Ctrl-C reaches the node, which stops Valkey last.
                start_new_session=True,
            )
        silence = _Silence()
        while not await self._ready(silence):
            if self._process.returncode is not None:
                raise StartError(f"The embedded Valkey ended:\n{self._log_tail()}")
            if silence.too_long:
                raise StartError(
                    f"The embedded Valkey does not answer:\n{self._log_tail()}"
                )

    async def _ready(self, silence: "_Silence") -> bool:
        """Ask once whether commands are carried out; pause a little if not."""
        answer = await self._answer()
        if answer == b"+PONG":
            return True
        if answer is not None:
            silence.broken()
        await asyncio.sleep(READY_LOOK_SECONDS)
        return False

    async def _answer(self) -> bytes | None:
        """Return the answer to a PING, or None when there is none."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b"PING\r\n")
                    return (await reader.readline()).strip() or None
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError):
            return None

    async def _stop_process(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _logger.error("The embedded Valkey did not stop in time and is killed.")
            process.kill()
            await process.wait()

    def _log_tail(self) -> str:
        text = (self._data_dir / LOG_NAME).read_text(errors="replace")
        return "\n".join(text.splitlines()[-LOG_TAIL_LINES:])


class _Silence:
    """How long a Valkey has given no sign of life; loading its data is one."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def broken(self) -> None:
        """Note a sign of life."""
        self._since = time.monotonic()

    @property
    def too_long(self) -> bool:
        """Whether it cannot be expected to answer any more."""
        return time.monotonic() - self._since > READY_SECONDS


def _move_aside(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > LOG_LIMIT_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
