"""Who is not to be told of a message while they are absent."""

from collections.abc import Sequence

from realtime.redis.client import RedisClient
from realtime.store import keys
from realtime.store.personal_log import Mine
from realtime.tasks import gather_started
from realtime.webhooks.push import Message, QuietRule


def blocking(redis: RedisClient) -> QuietRule:
    """Return the rule by which who blocks a user hears nothing of them."""

    async def rule(_room: str, message: Message, users: Sequence[str]) -> list[str]:
        blocks = await gather_started(
            *(
                redis.call("SISMEMBER", keys.user_blocks(each), message["user"])
                for each in users
            )
        )
        return [each for each, does in zip(users, blocks, strict=True) if does]

    return rule


def by_their_settings(redis: RedisClient) -> QuietRule:
    """Return the rule of users' own settings of a room: muted, or mentions only."""

    async def rule(room: str, message: Message, users: Sequence[str]) -> list[str]:
        letters = await gather_started(
            *(redis.call("HGET", keys.user_mine(each), room) for each in users)
        )
        mentioned = set(users if message.get("mentionAll") else ())
        mentioned |= {*message.get("mentions", ())}
        return [
            user
            for user, each in zip(users, letters, strict=True)
            if _is_quiet(Mine.from_letters(each), is_mentioned=user in mentioned)
        ]

    return rule


def _is_quiet(mine: Mine, *, is_mentioned: bool) -> bool:
    is_wanted = mine.push == "all" or (mine.push == "mentions" and is_mentioned)
    return mine.muted or not is_wanted
