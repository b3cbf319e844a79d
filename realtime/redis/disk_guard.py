"""Whether a disk takes what the embedded Valkey writes, known before it does not.

Valkey ends when it cannot write its append-only file: it has carried out by then what
it cannot keep. So it is told to refuse writes while less than a floor is free, and what
it writes until that is noticed has its space reserved at the file's end.
"""

import ctypes
import errno
import os
import re
import sys
from pathlib import Path
from typing import Final

# Valkey's name of the folder with all messages, and the secret of image addresses.
APPEND_ONLY_NAME: Final = "appendonlydir"
# The last one by number is the one that is written to.
INCREMENT: Final = re.compile(r"appendonly\.aof\.(\d+)\.incr\.aof")

# A smaller disk keeps a part of itself free at most, which at this size is 64 MiB.
SMALL_DISK_BYTES: Final = 1024 * 1024 * 1024
SMALL_DISK_PART: Final = 16
# What is reserved, a quarter of the floor at most: some looks of a fast disk.
RESERVED_BYTES: Final = 16 * 1024 * 1024
RESERVED_PART: Final = 4

# What is written to try a disk on which Valkey could not write, whatever it says is
# free: it may be somebody's quota that is used up.
TRIAL_BYTES: Final = 1024 * 1024
TRIAL_NAME: Final = "space.trial"

# From <linux/falloc.h>: space behind the end of a file, which stays where it is.
FALLOC_FL_KEEP_SIZE: Final = 1
NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class DiskGuard:
    """Looks at the disk of a data folder.

    Args:
        folder: The data folder.
        least_free_bytes: The floor; of a disk below 1 GiB a sixteenth of it at most.
    """

    def __init__(self, folder: Path, *, least_free_bytes: int) -> None:
        self._folder = folder
        self._least_free_bytes = least_free_bytes
        self._is_doubtful = False

    def doubt(self) -> None:
        """Take note that Valkey ended, for lack of space perhaps."""
        self._is_doubtful = True

    def lacks_space(self, *, reserve: bool) -> bool:
        """Tell whether nothing more should be written; waits for the disk.

        Args:
            reserve: Reserve space for the append-only file: its Valkey is ours.

        Raises:
            OSError: The disk cannot be looked at.
        """
        found = os.statvfs(self._folder)
        total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        floor = self._least_free_bytes
        if total < SMALL_DISK_BYTES:
            floor = min(floor, total // SMALL_DISK_PART)
        if free < floor:
            return True
        if reserve and not self._has_reserve(
            min(floor // RESERVED_PART, RESERVED_BYTES)
        ):
            return True
        self._is_doubtful = self._is_doubtful and not self._passes_trial()
        return self._is_doubtful

    def _has_reserve(self, size: int) -> bool:
        """Reserve space for the append-only file, if half of it is used up."""
        numbered = [
            (int(match[1]), path)
            for path in (self._folder / APPEND_ONLY_NAME).glob("*.incr.aof")
            if (match := INCREMENT.fullmatch(path.name))
        ]
        if not numbered:
            return True
        descriptor = os.open(max(numbered)[1], os.O_WRONLY | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if found.st_blocks * 512 - found.st_size > size / 2:
                return True
            return _reserve(descriptor, found.st_size, size) not in NO_SPACE
        finally:
            os.close(descriptor)

    def _passes_trial(self) -> bool:
        trial = self._folder / TRIAL_NAME
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            with os.fdopen(os.open(trial, flags, 0o600), "wb") as file:
                file.write(bytes(TRIAL_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            return False
        finally:
            trial.unlink(missing_ok=True)
        return True


def _reserve(descriptor: int, offset: int, size: int) -> int:
    """Reserve space of a disk for a file; return why not, by its ``errno``, or 0.

    Linux alone can do so behind a file's end, and not on every file system: elsewhere
    the floor has to do.
    """
    if sys.platform != "linux":
        return errno.EOPNOTSUPP
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_int64
    done = libc.fallocate(descriptor, FALLOC_FL_KEEP_SIZE, number(offset), number(size))
    return ctypes.get_errno() if done else 0
