"""The Redis of the nodes, for commands beside them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from realtime.errors import ChatError, StartError
from realtime.node.settings import Settings
from realtime.redis.client import RedisClient
from realtime.redis.embedded import EmbeddedValkey
from realtime.redis.site import RedisSite, check_site
from realtime.store import scripts


def require_folder(settings: Settings) -> None:
    """Let settings pass that need no data folder, or whose folder is there.

    Raises:
        StartError: Made now, it would be empty, and all images unknown.
    """
    is_needed = settings.redis_url is None or settings.images_url is None
    if is_needed and not settings.data_dir.is_dir():
        raise StartError(
            f"There is no data folder {settings.data_dir}: give the nodes' own,"
            " --data-dir or CHATROOM_DATA_DIR."
        )


@asynccontextmanager
async def opened_redis(
    settings: Settings, failed: str
) -> AsyncIterator[tuple[RedisClient, RedisSite]]:
    """Connect to the Redis of the nodes, an embedded one that runs as well.

    Args:
        settings: Of the nodes.
        failed: What an error says before its reason.

    Yields:
        The client, and what makes others like it while it runs.

    Raises:
        StartError: There is none, it cannot be started, or what is done with it failed.
    """
    async with AsyncExitStack() as stack:
        try:
            settings = await _with_redis(settings, stack)
            site = RedisSite(
                settings.redis_url or "", timeout_seconds=settings.redis_timeout_seconds
            )
            redis = site.client(limit_calls=settings.redis_calls, scripts=scripts.ALL)
            redis.start()
            stack.push_async_callback(redis.aclose)
            yield redis, site
        except (ChatError, ValueError, OSError) as error:
            raise StartError(f"{failed}: {error}") from error


async def _with_redis(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Return the settings with the address of the Redis of the nodes."""
    if settings.redis_url is None:
        require_folder(settings)
        valkey = EmbeddedValkey(
            settings.data_dir, least_free_bytes=settings.data_free_bytes
        )
        await valkey.start()
        stack.push_async_callback(valkey.aclose)
        return replace(settings, redis_url=valkey.url)
    await check_site(
        settings.redis_url,
        timeout_seconds=settings.redis_timeout_seconds,
        durability=settings.durability,
    )
    return settings
