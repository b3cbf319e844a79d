"""Which messages show which image files, and how much each user's images take.

A file is claimed for a message before it is stored, and the message's number is noted
when it is known. So whatever crashes in between, a file that is stored is known here,
and :mod:`realtime.store.image_sweep` finds out whether a message shows it.
``docs/decisions/0021-images-by-use.md`` says why it is done so.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from realtime.errors import TooLargeError, UnavailableError
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts

# How long a claim may wait for its message: storing and appending have deadlines of
# seconds; a node that was stopped for longer could send a message without its image.
PENDING_MS: Final = 600_000

# What a file counts at least: a block of the disk. It bounds the number of files.
LEAST_BYTES: Final = 4_096

# When to try again with a file that is being deleted.
DELETING_MS: Final = 1_000

MIB: Final = 1024 * 1024
# Bytes: the largest number that Lua counts exactly.
NO_LIMIT: Final = 2**53


class Use(NamedTuple):
    """A message that shows a file, by what names it before it has a number."""

    room: str
    client_id: str
    user: str

    @classmethod
    def parse(cls, text: str) -> "Use":
        """Return the use that :meth:`text` was made of."""
        return cls(*text.split(" ", 2))

    def text(self) -> str:
        """Return the field that stands for it; only the user id may have spaces."""
        return " ".join(self)


class KnownUse(NamedTuple):
    """What is known of a use.

    ``message`` is 0 until it is known; ``claimed_ms`` is a time of Redis's clock, and
    ``value`` is all of it as it is stored.
    """

    use: Use
    message: int
    claimed_ms: int
    value: bytes


class ImageUses:
    """Claims of files, in Redis.

    Args:
        redis: The client that carries commands out.
        user_limit_bytes: What the images of one user may take together.
        look_ms: How long after a message its files are looked at.
        pending_ms: How long a claim may wait for its message.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        user_limit_bytes: int,
        look_ms: int,
        pending_ms: int = PENDING_MS,
    ) -> None:
        self._redis = redis
        self._user_limit_bytes = user_limit_bytes
        self._look_ms = look_ms
        self.pending_ms = pending_ms

    async def claim(self, sizes: Mapping[str, int], use: Use) -> None:
        """Note that a message is about to show files, before they are stored.

        Args:
            sizes: Name of each file to its bytes.
            use: The message. Repeating a claim counts once.

        Raises:
            TooLargeError: The user's images would be too many bytes.
            UnavailableError: Redis is away, or a file of the name is being deleted.
        """
        for name, size in sizes.items():
            done = await self._claim(name, size, use, self._user_limit_bytes)
            if done == 0:
                raise self._too_many()
            if done < 0:
                raise UnavailableError(
                    "The same image is being deleted; send it again.",
                    retry_after_ms=DELETING_MS,
                )

    async def adopt(self, sizes: Mapping[str, int], use: Use, message: int) -> None:
        """Note that a message shows files, however much the user has."""
        for name, size in sizes.items():
            await self._claim(name, size, use, NO_LIMIT)
        await self.confirm(sizes, use, message)

    async def _claim(self, name: str, size: int, use: Use, most: int) -> int:
        return await scripts.images_claim(
            self._redis,
            uses=keys.image_uses(name),
            user_bytes=keys.IMAGES_BYTES,
            due=keys.IMAGES_DUE,
            use=use.text(),
            user=use.user,
            limit_bytes=most,
            pending_ms=self.pending_ms,
            name=name,
            size=max(size, LEAST_BYTES),
        )

    async def confirm(
        self, names: Iterable[str], use: Use, message: int, *, soon: bool = False
    ) -> None:
        """Note the number of the message that shows files.

        Args:
            names: Of the files.
            use: The message.
            message: Its number.
            soon: It was there before, and may show others: they are looked at next.

        Raises:
            ChatError: It is not noted. The message will be looked for instead.
        """
        begun = [
            scripts.images_confirm(
                self._redis,
                uses=keys.image_uses(name),
                due=keys.IMAGES_DUE,
                use=use.text(),
                message=message,
                look_ms=0 if soon else self._look_ms,
                name=name,
            )
            for name in names
        ]
        # Together in one packet: the sender of ten images waits for thirty files.
        await asyncio.gather(*begun)

    def take(self, count: int, *, taken_ms: int) -> Awaitable[scripts.TakenImages]:
        """Return Redis's time and files that are due; others get them after a while."""
        return scripts.images_take(
            self._redis, due=keys.IMAGES_DUE, count=count, taken_ms=taken_ms
        )

    async def of_file(self, name: str) -> list[KnownUse]:
        """Return the uses of a file; none while it is being deleted."""
        found = await self._redis.call("HGETALL", keys.image_uses(name))
        pairs = zip(found[::2], found[1::2], strict=True)
        uses = []
        for field, value in pairs:
            if field:
                _size, message, claimed_ms = map(int, value.split())
                use = Use.parse(field.decode())
                uses.append(KnownUse(use, message, claimed_ms, value))
        return uses

    async def postpone(self, name: str, until_ms: int) -> None:
        """Have a file looked at later, by Redis's clock."""
        await self._redis.call("ZADD", keys.IMAGES_DUE, "XX", until_ms, name)

    async def drop(self, name: str, gone: Sequence[KnownUse] = ()) -> bool:
        """Forget uses of a file; return whether it has none and is to be deleted.

        From then on nobody can claim it, until :meth:`forget`.
        """
        wanted = [(each.use.text(), each.value) for each in gone]
        deleting = False
        for use, value in wanted or [("", b"")]:
            deleting = await scripts.images_drop(
                self._redis,
                uses=keys.image_uses(name),
                user_bytes=keys.IMAGES_BYTES,
                use=use,
                value=value,
            )
        return deleting

    async def forget(self, name: str) -> None:
        """Forget a file that was deleted."""
        await scripts.images_gone(
            self._redis, uses=keys.image_uses(name), due=keys.IMAGES_DUE, name=name
        )

    def _too_many(self) -> TooLargeError:
        most = f"{self._user_limit_bytes / MIB:.3g} MiB"
        return TooLargeError(
            f"Your images may take {most} together; those of older messages count.",
            fields={"image": [f"Is more than is left of {most} for your images."]},
            limit="user_image_bytes",
        )
