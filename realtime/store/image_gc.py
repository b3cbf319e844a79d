"""All images against all messages: what ``chatroom gc`` shows and deletes.

Reads every message and lists every file, so it is for a person to start. What nodes
look at by themselves (:mod:`realtime.store.image_sweep`) they know from claims; files
that nobody claimed, of an older version or a lost Redis, are found here only.
"""

import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import orjson

from realtime.images.signed_urls import NAME_PATTERN
from realtime.images.store import ImageStore, ListedFile
from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.image_sweep import SCANNED, ImageSweep
from realtime.store.image_uses import ImageUses, Use

_NAMES: Final = re.compile(rb"/images\\?/(" + NAME_PATTERN.encode() + rb")\?")
_NAME: Final = re.compile(NAME_PATTERN)


class Garbage(NamedTuple):
    """What was found; ``missing`` are names that messages show and that are no file."""

    files: int
    size: int
    shown: int
    unshown: list[ListedFile]
    missing: set[str]


class _Shown(NamedTuple):
    """A message that shows files."""

    use: Use
    message: int
    names: list[str]


async def find_garbage(
    redis: RedisClient, store: ImageStore, uses: ImageUses, *, adopt: bool
) -> Garbage:
    """Compare the files with the messages.

    Args:
        redis: The client of all nodes that share the store.
        store: The images.
        uses: What is known of them.
        adopt: Note also which messages show files that nobody claimed.

    Raises:
        ChatError: Redis or the store is away.
    """
    # Files first: one that is stored meanwhile is not among them.
    listed = {each.name: each async for each in store.listed()}
    shown: set[str] = set()
    async for found in _showing(redis):
        shown.update(found.names)
        if adopt:
            sizes = {n: listed[n].size for n in found.names if n in listed}
            await uses.adopt(sizes, found.use, found.message)
    unshown = [
        each
        for name, each in sorted(listed.items())
        if name not in shown and _NAME.fullmatch(name)
    ]
    return Garbage(
        files=len(listed),
        size=sum(each.size for each in listed.values()),
        shown=len(shown),
        unshown=unshown,
        missing=shown - listed.keys(),
    )


async def delete_garbage(
    sweep: ImageSweep, garbage: Garbage, *, now_ms: int, grace_ms: int
) -> int:
    """Delete what no message shows, and return how many files that were.

    Each is looked at once more. What is younger than the grace stays: its message may
    be under way.

    Raises:
        ChatError: Redis or the store is away; the rest is there still.
    """
    deleted = 0
    for each in garbage.unshown:
        if now_ms - each.changed * 1000 >= grace_ms:
            deleted += await sweep.settle(each.name, now_ms)
    return deleted


async def _showing(redis: RedisClient) -> AsyncIterator[_Shown]:
    async for room in redis.scan(keys.messages("*"), SCANNED):
        async for each in _showing_of(redis, room):
            yield each


async def _showing_of(redis: RedisClient, messages: bytes) -> AsyncIterator[_Shown]:
    cursor = b"0"
    while True:
        cursor, found = await redis.call("HSCAN", messages, cursor, "COUNT", SCANNED)
        for number, raw in zip(found[::2], found[1::2], strict=True):
            names = [name.decode() for name in _NAMES.findall(raw)]
            if names:
                of = orjson.loads(raw)
                use = Use(of["room"], of["clientId"], of["user"])
                yield _Shown(use, int(number), names)
        if cursor == b"0":
            return
