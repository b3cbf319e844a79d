"""The embedded Valkey: one for a data folder, kept alive by whichever node lives.

A lock on a file in the data folder decides which node starts Valkey; the others join
through its socket. Valkey inherits the open lock, so the folder stays taken until node
and Valkey are both gone, and no second Valkey can ever write to the same files. When
the owner dies its Valkey dies with it, and the first of the others to get the lock
starts Valkey again on the same data.

Where nothing can be stored, because the disk is full or somebody has removed the
folder, Valkey refuses to write and can be read; with space it goes on by itself.
"""

import asyncio
import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from realtime.errors import StartError
from realtime.redis.disk_guard import DiskGuard
from realtime.redis.folder_lock import FolderLock
from realtime.redis.valkey_control import ValkeyControl, ping
from realtime.redis.valkey_process import (
    log_tail,
    remove_socket_folder,
    socket_path,
    start_valkey,
)

_logger = logging.getLogger(__name__)

# How often the lock, the folder and its disk are looked at: some cheap system calls,
# and the largest part of the time that a takeover takes.
LOOK_SECONDS: Final = 0.2
# How often a starting Valkey is asked whether it is ready; it takes about 40 ms.
READY_LOOK_SECONDS: Final = 0.02
# Longest silence of a starting Valkey. One that loads its data answers all the while
# and is waited for.
READY_SECONDS: Final = 10.0
# A Valkey that ends sooner has not recovered: the next start waits, twice as long each
# time. The first one is at once.
STEADY_SECONDS: Final = 60.0
LONGEST_PAUSE_SECONDS: Final = 30.0
# Time to write the data out at the end, then it is killed; what was acknowledged is
# in the kernel's hands already.
STOP_SECONDS: Final = 10.0
# What is left free of the disk unless a setting says otherwise.
LEAST_FREE_BYTES: Final = 64 * 1024 * 1024

GONE: Final = "The data folder is gone."
NO_SPACE: Final = "No space on the disk of the data folder."


class EmbeddedValkey:
    """This node's part in the Valkey of a data folder.

    Args:
        data_dir: The folder; made when there is none.
        least_free_bytes: What is left free of its disk.

    Attributes:
        trouble: Why nothing can be stored, one sentence; None: it can.
    """

    def __init__(
        self, data_dir: Path, *, least_free_bytes: int = LEAST_FREE_BYTES
    ) -> None:
        self._data_dir = data_dir.resolve()
        self._lock = FolderLock(self._data_dir)
        self._disk = DiskGuard(self._data_dir, least_free_bytes=least_free_bytes)
        self._socket = Path()
        self._process: asyncio.subprocess.Process | None = None
        self._control: ValkeyControl | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._restarts = _Restarts()
        self._refuses = False
        self.trouble: str | None = None

    @property
    def url(self) -> str:
        """The address for clients; valid after :meth:`start`."""
        # A folder may have any name: # and ? would end the path, % would be decoded.
        return f"unix://{quote(str(self._socket))}"

    @property
    def owner(self) -> bool:
        """Whether Valkey is a child of this process."""
        return self._lock.descriptor is not None

    async def start(self) -> None:
        """Start Valkey or join the one that runs; return when it answers.

        Raises:
            StartError: when it cannot be started, with the reason.
        """
        try:
            if self._data_dir.exists() and not self._data_dir.is_dir():
                raise StartError(
                    f"The data folder cannot be used: {self._data_dir} is a file."
                )
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._socket = socket_path(self._data_dir)
            await self._own_or_join()
        except BaseException as error:
            await self.aclose()
            if isinstance(error, OSError):
                reason = f"{self._data_dir}: {error.strerror or error}"
                raise StartError(
                    f"The data folder cannot be used: {reason}."
                ) from error
            raise
        self._watcher = asyncio.create_task(self._watch(), name="embedded-valkey")

    async def aclose(self) -> None:
        """Stop Valkey, if it is ours, after it has written everything out."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
            self._watcher = None
        await self._stop_process()
        if self.owner:
            if self.trouble != GONE:
                remove_socket_folder(self._data_dir)
            self._lock.give_back()

    async def _own_or_join(self) -> None:
        silence = _Silence()
        while not self.owner:
            lock = self._lock.take()
            if lock is not None:
                await self._look_at_disk()
                await self._start_process(lock)
            elif await self._ready(silence):
                self._lock.remember()
                await self._look_at_disk()
                return
            elif silence.too_long:
                raise StartError(
                    f"Another process holds {self._lock.path}, but no Valkey answers"
                    f" at {self._socket}. Stop that process, or choose another"
                    " --data-dir."
                )

    async def _watch(self) -> None:
        """Look after the folder and its Valkey until cancelled."""
        while True:
            try:
                await self._look()
            except (StartError, OSError) as error:
                _logger.error(
                    "The embedded Valkey of %s does not run: %s", self._data_dir, error
                )
                await self._stop_process()
                self._restarts.failed()
            if self._process is None or self._process.returncode is not None:
                await asyncio.sleep(LOOK_SECONDS)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._process.wait()

    async def _look(self) -> None:
        if self._lock.is_gone():
            self._note(GONE)
        else:
            await self._look_at_disk()
            if not self.owner:
                self._lock.take()
        if self._process is None or self._process.returncode is not None:
            await self._start_again()
        elif self._refuses != bool(self.trouble):
            await self._tell_valkey()

    async def _look_at_disk(self) -> None:
        lacks = await asyncio.to_thread(self._disk.lacks_space, reserve=self.owner)
        self._note(NO_SPACE if lacks else None)

    def _note(self, trouble: str | None) -> None:
        """Say once what has changed."""
        if trouble == self.trouble:
            return
        before, self.trouble = self.trouble, trouble
        folder = self._data_dir
        if trouble == GONE:
            _logger.error(
                "The data folder %s was removed, or is another one now: nothing is"
                " stored any more, and what was is in memory. Put it back, or restart"
                " this node.",
                folder,
            )
        elif trouble:
            _logger.error(
                "No space on the disk of %s: messages are refused until there is.",
                folder,
            )
        elif before == GONE:
            _logger.warning("The data folder %s is there again.", folder)
        else:
            _logger.warning(
                "Space again on the disk of %s: messages are taken.", folder
            )

    async def _start_again(self) -> None:
        """Start Valkey if it is this node's turn."""
        lock = self._lock.descriptor
        if lock is None or self.trouble == GONE:
            return
        if self._process is not None:
            code = await self._process.wait()
            self._process = None
            self._disk.doubt()
            pause = self._restarts.ended()
            when = f"in {pause:g} s" if pause else "at once"
            _logger.error(
                "The embedded Valkey of %s ended (%d) and is started again %s. It"
                " said:\n%s",
                *(self._data_dir, code, when, log_tail(self._data_dir)),
            )
        if self._restarts.are_due:
            await self._look_at_disk()
            await self._start_process(lock)
            _logger.warning("The embedded Valkey runs again, as this node's child.")

    async def _start_process(self, lock: int) -> None:
        """Start Valkey and return when its data is loaded."""
        # Again, because an owner that left in good order removed the socket's folder.
        self._socket = socket_path(self._data_dir)
        self._let_go_of_control()
        self._refuses = bool(self.trouble)
        self._restarts.started()
        self._process = await start_valkey(
            self._data_dir,
            self._socket,
            inherit=lock,
            refuse_writes=self._refuses,
        )
        silence = _Silence()
        while not await self._ready(silence):
            what = "ended" if self._process.returncode is not None else ""
            what = what or ("does not answer" if silence.too_long else "")
            if what:
                raise StartError(
                    f"The embedded Valkey of {self._data_dir} {what}. It said:\n"
                    f"{log_tail(self._data_dir)}"
                )
        self._control = await ValkeyControl.connect(self._socket)

    async def _ready(self, silence: "_Silence") -> bool:
        """Ask once whether commands are carried out; pause a little if not."""
        answer = await ping(self._socket)
        if answer == b"+PONG":
            return True
        if answer is not None:
            silence.broken()
        await asyncio.sleep(READY_LOOK_SECONDS)
        return False

    async def _tell_valkey(self) -> None:
        """Have Valkey refuse writes, or take them again."""
        wanted = bool(self.trouble)
        if self._control is None and self.trouble != GONE:
            self._control = await ValkeyControl.connect(self._socket)
        if self._control is not None and await self._control.refuse_writes(wanted):
            self._refuses = wanted
            return
        self._let_go_of_control()
        if self.trouble == GONE and self._process is not None:
            # Its socket may be somebody else's by now: it cannot be told, but ended.
            self._process.kill()

    def _let_go_of_control(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    async def _stop_process(self) -> None:
        self._let_go_of_control()
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if self.trouble == GONE:
            # In good order it would remove its socket, or whatever has its place.
            process.kill()
            await process.wait()
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _logger.error("The embedded Valkey did not stop in time and is killed.")
            process.kill()
            await process.wait()


class _Restarts:
    """When a Valkey that ended is started again."""

    def __init__(self) -> None:
        self._began = self._due = 0.0
        self._failures = 0

    @property
    def are_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due

    def started(self) -> None:
        """Take note of a start."""
        self._began = time.monotonic()

    def ended(self) -> float:
        """Return the seconds until the next start of a Valkey that has ended."""
        now = time.monotonic()
        if now - self._began >= STEADY_SECONDS:
            self._failures = 0
        pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE_SECONDS)
        pause = pause if self._failures else 0.0
        self._failures += 1
        self._due = now + pause
        return pause

    def failed(self) -> None:
        """Take note of a start that failed: the next one waits in any case."""
        self._failures = max(self._failures, 1)
        self.ended()


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
