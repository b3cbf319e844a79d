"""``chatroom gc``: what is kept and nobody can see, shown or deleted."""

from collections.abc import Callable
from contextlib import closing
from typing import Final

from realtime.errors import StartError, UnavailableError
from realtime.images.store import ImageStore, folder_of
from realtime.node.from_settings import make_image_store, make_image_uses
from realtime.node.opened_redis import opened_redis, require_folder
from realtime.node.settings import MIB, Settings
from realtime.redis.client import RedisClient
from realtime.store.image_gc import Garbage, delete_garbage, find_garbage
from realtime.store.image_sweep import ImageSweep

OWN: Final = "give the nodes' own CHATROOM_IMAGES_URL, or --data-dir."


async def collect(
    settings: Settings, *, delete: bool, say: Callable[[str], None]
) -> None:
    """Compare all images with all messages, and tell what no message shows.

    Nodes may run meanwhile.

    Args:
        settings: Of the nodes whose images they are.
        delete: Delete it as well.
        say: Is told a line at a time.

    Raises:
        StartError: Redis or the images cannot be reached, or these are not the images
            of that Redis's messages.
    """
    require_folder(settings)
    failed = "what is kept cannot be looked at"
    async with opened_redis(settings, failed) as (redis, _):
        _check_folder(settings.images_url)
        with closing(make_image_store(settings)) as store:
            await _collect(settings, redis, store, delete=delete, say=say)


async def _collect(
    settings: Settings,
    redis: RedisClient,
    store: ImageStore,
    *,
    delete: bool,
    say: Callable[[str], None],
) -> None:
    uses = make_image_uses(settings, redis)
    try:
        garbage = await find_garbage(redis, store, uses, adopt=delete)
    except UnavailableError as error:
        if error.__cause__ is None:
            raise
        # The kind alone: an object store's own words repeat addresses and keys.
        why = type(error.__cause__).__name__
        raise StartError(f"The images cannot be looked at ({why}); {OWN}") from error
    if garbage.shown and len(garbage.missing) == garbage.shown:
        raise StartError(
            f"None of the {garbage.shown} images that messages show is among the"
            f" {garbage.files} files there; nothing was deleted: {OWN}"
        )
    _tell(garbage, say)
    if not delete:
        if garbage.unshown:
            say("Nothing was deleted; `chatroom gc --delete` does so.")
        return
    sweep = ImageSweep(redis, uses, store, every_seconds=settings.image_sweep_seconds)
    seconds, _microseconds = await redis.call("TIME")
    deleted = await delete_garbage(
        sweep, garbage, now_ms=int(seconds) * 1000, grace_ms=uses.pending_ms
    )
    await store.remove_parts(older_seconds=uses.pending_ms / 1000)
    left = len(garbage.unshown) - deleted
    say(f"Deleted: {deleted} files." + (f" Too young to tell: {left}." if left else ""))


def _check_folder(images_url: str | None) -> None:
    """Let the address of an object store pass, or of a folder that is there."""
    try:
        folder = folder_of(images_url)
    except ValueError as error:
        raise StartError(f"CHATROOM_IMAGES_URL: {error}.") from error
    if folder is not None and not folder.is_dir():
        # Made now, it would be empty, and all images unknown.
        raise StartError(
            f"There is no folder {folder}: give the nodes' own CHATROOM_IMAGES_URL."
        )


def _tell(garbage: Garbage, say: Callable[[str], None]) -> None:
    say(f"Images: {garbage.files} files, {garbage.size / MIB:.1f} MiB.")
    size = sum(each.size for each in garbage.unshown)
    say(f"Shown by no message: {len(garbage.unshown)} files, {size / MIB:.1f} MiB.")
    for each in garbage.unshown:
        say(f"  {each.name}  {each.size} bytes")
    if garbage.missing:
        say(f"Shown by a message and missing: {len(garbage.missing)} files.")
        for name in sorted(garbage.missing):
            say(f"  {name}")
