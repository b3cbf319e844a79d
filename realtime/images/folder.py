"""Files of a folder on this machine: written so that a power cut leaves them whole."""

import hashlib
import os
import secrets
import time
from pathlib import Path
from typing import Final

# The folder of files that are being written; what a crash leaves there is removed by
# :func:`remove_parts`.
PARTS: Final = "new"

# Read at a time to check a file.
READ_BYTES: Final = 1024 * 1024


def make_durably(folder: Path) -> None:
    """Make a folder, and have the one above it know of it after a power cut.

    Raises:
        OSError: It cannot be made.
    """
    if not folder.is_dir():
        make_durably(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)


def write_durably(folder: Path, path: str, data: bytes) -> None:
    """Write a file, which takes its name when all of it is on the disk.

    An older file of the name is replaced, so that a damaged one heals.

    Args:
        folder: The store's folder; made if it is missing.
        path: Of the file within it, ``<folder>/<name>``.
        data: All of its content.

    Raises:
        OSError: It is not there, or not safe.
    """
    target = folder / path
    part = folder / PARTS / secrets.token_hex(8)
    for parent in (part.parent, target.parent):
        make_durably(parent)
    try:
        # Nobody else on this machine is to look at people's pictures.
        part.touch(mode=0o600, exist_ok=False)
        with part.open("r+b") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def looks_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when a file does; None: there is no such file.

    Raises:
        OSError: Nobody knows.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def is_whole(path: Path, sha256: str) -> bool:
    """Tell whether a file holds what its name says; a missing one does not.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                digest.update(block)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == sha256


def free_bytes(folder: Path) -> int:
    """Return what may still be written to the folder's disk.

    Raises:
        OSError: Nobody knows.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def remove_parts(folder: Path, *, older_seconds: float) -> None:
    """Remove what writers that crashed have left.

    Raises:
        OSError: Something cannot be removed.
    """
    before = time.time() - older_seconds
    parts = folder / PARTS
    for part in parts.iterdir() if parts.is_dir() else ():
        if part.stat().st_mtime < before:
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
