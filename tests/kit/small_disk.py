"""A disk that can be filled, and the folder of one that is full by what it says."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DISK_BYTES = 48 * 1024 * 1024


class SmallDisk:
    """A file system of its own, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free_bytes(self) -> int:
        """What may still be written."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Leave not one byte, in one go: faster than anybody looks."""
        with self._filler.open("ab", buffering=0) as file:
            while free := self.free_bytes:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), free)

    def clear(self) -> None:
        """Give back what :meth:`fill` took."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a small disk at a folder; skips where this user may not mount."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
