"""The lock of a data folder: who holds it, and whether it is still the folder's."""

import fcntl
import os
from pathlib import Path

LOCK_NAME = "valkey.lock"


class FolderLock:
    """This process's part in the lock, a file in the folder.

    Args:
        folder: The data folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK_NAME
        self._descriptor: int | None = None
        self._known: tuple[int, int] | None = None

    @property
    def descriptor(self) -> int | None:
        """The open lock, for a child to hold as well; None: it is somebody else's."""
        return self._descriptor

    def take(self) -> int | None:
        """Take the lock if nobody has it; return its descriptor if it is ours.

        Raises:
            OSError: The folder is not there, or not for this user.
        """
        if self._descriptor is not None:
            return self._descriptor
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        self._descriptor = descriptor
        self.remember()
        return descriptor

    def remember(self) -> None:
        """Take note of which file the lock is.

        Raises:
            OSError: It is not there.
        """
        lock = self._descriptor
        self._known = _identity(self.path.stat() if lock is None else os.fstat(lock))

    def is_gone(self) -> bool:
        """Tell whether the folder, or its lock, was removed, or is another one now.

        Whoever starts on the same path then knows nothing of us, nor we of them.
        """
        try:
            return _identity(self.path.stat()) != self._known
        except (FileNotFoundError, NotADirectoryError):
            return True

    def give_back(self) -> None:
        """Let others take it, once no child holds it either."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
