"""The messages of a room that show images, page by page."""

from typing import Final, NamedTuple

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.refusals import granted

# Messages of an earlier version that one call of Redis looks through: a millisecond.
STEP: Final = 500

# Calls for one page: together what a room keeps as a rule. In a larger one the next
# request goes on where this one ended.
STEPS: Final = 20


class MediaPage(NamedTuple):
    """Messages in their present state, newest first, as encoded JSON objects.

    ``more`` tells that there may be older ones; a page without any may come before
    them, while a room of an earlier version is looked through.
    """

    messages: list[bytes]
    more: bool


class RoomMedia:
    """Reads pages, in every room.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def page(
        self, *, room: str, user: str, before: int | None, limit: int
    ) -> MediaPage:
        """Return the newest messages with images, below a number if one is given.

        Args:
            room: Room id.
            user: Who reads, as far back as they may see.
            before: Exclusive upper message number.
            limit: Most messages returned.

        Raises:
            NotMemberError: The user is no member.
        """
        steps = 0
        while True:
            steps += 1
            read = await scripts.room_media_read(
                self._redis,
                messages=keys.messages(room),
                meta=keys.meta(room),
                members=keys.members(room),
                reactions=keys.reactions(room),
                media=keys.media(room),
                user=user,
                before="" if before is None else before,
                limit=limit,
                step=STEP,
            )
            found = granted(read)
            if not found.is_unfinished or steps == STEPS:
                return MediaPage(found.messages, found.more)
