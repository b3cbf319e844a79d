"""Who blocks whom: in their direct room neither of the two writes."""

from typing import Final

from realtime.errors import TooLargeError, changed_before
from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.people import direct_id
from realtime.store.personal_log import PersonalLog

# Users that one user blocks: a client holds them all, to hide what they write.
USER_BLOCKS: Final = 1_000


class Blocks:
    """A user's list of those they block, and what it means for direct rooms.

    Args:
        redis: The client that carries commands out.
        personal: Tells the user's devices.
    """

    def __init__(self, redis: RedisClient, personal: PersonalLog) -> None:
        self._redis = redis
        self._personal = personal

    async def set(self, *, user: str, blocked: str, on: bool) -> None:
        """Block a user or no longer; repeating it is fine.

        The list and the room are of two slots: the list comes first, so a crash in
        between leaves what the user sees on it, and a repetition completes it.

        Raises:
            TooLargeError: The list is full.
            OutcomeUnknownError: The list is changed; repeat it for the room.
        """
        if not await scripts.user_block(
            self._redis,
            user_blocks=keys.user_blocks(user),
            blocked=blocked,
            on=on,
            limit=USER_BLOCKS,
        ):
            raise TooLargeError(
                f"You may block {USER_BLOCKS} users; unblock one.", limit="user_blocks"
            )
        room = direct_id(user, blocked)
        with changed_before():
            await scripts.direct_block(
                self._redis,
                blocks=keys.blocks(room),
                meta=keys.meta(room),
                user=user,
                on=on,
            )
            await self._personal.block(user, blocked, on=on)

    async def of_user(self, user: str) -> list[str]:
        """Return whom a user blocks, sorted."""
        found = await self._redis.call("SMEMBERS", keys.user_blocks(user))
        return sorted(each.decode() for each in found)
