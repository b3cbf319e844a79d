"""``chatroom backup`` and ``restore``: the data folder, copied while nodes run.

What is copied is what a power cut would leave: whole up to some message. Valkey appends
to its last file only; a rewrite makes new ones, and names them in a manifest at once.
Links to the files of one manifest therefore stay what they are, whatever comes after.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from realtime.errors import StartError
from realtime.node.settings import MIB, Settings
from realtime.redis.disk_guard import APPEND_ONLY_NAME
from realtime.redis.embedded import EmbeddedValkey

Say = Callable[[str], None]

# Valkey's, which names the files that are in use; and where images are.
MANIFEST: Final = "appendonly.aof.manifest"
IMAGES: Final = "images"

# Where the links are, for a moment, within the data folder.
LINKS: Final = ".backup"

# A rewrite in the midst of it has it begin anew; they are minutes apart.
TRIES: Final = 5


def backup(settings: Settings, target: Path, say: Say) -> None:
    """Copy the data folder of nodes that run, or do not.

    Args:
        settings: Of the nodes.
        target: A folder that is made; it must not be there.
        say: Takes a line.

    Raises:
        StartError: There is nothing to copy, or it cannot be.
    """
    if settings.redis_url is not None:
        raise StartError(
            "CHATROOM_REDIS_URL is set: what is in that Redis is backed up there"
            " (docs/deploy.md); this is for the data folder."
        )
    source = settings.data_dir
    if not (source / APPEND_ONLY_NAME / MANIFEST).is_file():
        raise StartError(f"There is no data in {source}: give the nodes' --data-dir.")
    links = source / LINKS
    try:
        target.mkdir(mode=0o700, parents=True)
        try:
            _link(source / APPEND_ONLY_NAME, links)
            # First: what it shows of images is on the disk by now.
            shutil.copytree(links, target / APPEND_ONLY_NAME)
        finally:
            shutil.rmtree(links, ignore_errors=True)
        images = source / IMAGES
        if settings.images_url is None and images.is_dir():
            shutil.copytree(images, target / IMAGES, copy_function=_copy_if_there)
    except OSError as error:
        raise StartError(f"The data cannot be copied: {error}.") from error
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    say(f"Copied {size / MIB:.1f} MiB to {target}.")
    if settings.images_url is not None:
        say("Images are in CHATROOM_IMAGES_URL, and not among it.")


async def restore(settings: Settings, source: Path, say: Say) -> None:
    """Make a data folder of a copy, and see whether Valkey takes it.

    Args:
        settings: Of the nodes that are to use it.
        source: What :func:`backup` made.
        say: Takes a line.

    Raises:
        StartError: There is data already, no copy, or Valkey does not take it.
    """
    target = settings.data_dir
    if not (source / APPEND_ONLY_NAME / MANIFEST).is_file():
        raise StartError(f"{source} is no copy of a data folder.")
    if target.exists() and any(target.iterdir()):
        raise StartError(
            f"There is something in {target}: move it away first, with its nodes"
            " stopped."
        )
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
        target.chmod(0o700)
    except OSError as error:
        raise StartError(f"The data cannot be copied: {error}.") from error
    valkey = EmbeddedValkey(target, least_free_bytes=settings.data_free_bytes)
    try:
        await valkey.start()
    finally:
        await valkey.aclose()
    say(f"{target} is as the copy was; start the nodes.")


def _link(folder: Path, links: Path) -> None:
    """Link the files of one manifest, and copy the manifest.

    Raises:
        StartError: They change all the time.
    """
    for _ in range(TRIES):
        shutil.rmtree(links, ignore_errors=True)
        links.mkdir(mode=0o700)
        manifest = (folder / MANIFEST).read_bytes()
        try:
            for line in manifest.decode().splitlines():
                # file <name> seq <number> type <b, h or i>; h is of the past.
                words = line.split()
                if words[:1] == ["file"] and words[5] != "h":
                    (links / words[1]).hardlink_to(folder / words[1])
        except FileNotFoundError:
            continue
        (links / MANIFEST).write_bytes(manifest)
        if (folder / MANIFEST).read_bytes() == manifest:
            return
    raise StartError("Valkey rewrites its files all the time; try again.")


def _copy_if_there(source: str, target: str) -> None:
    """Copy an image, unless its last message was deleted meanwhile."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        Path(target).unlink(missing_ok=True)
