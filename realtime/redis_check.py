"""Says at start, in plain words, why a Redis does not fit."""

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from realtime.redis_url import connection_factory
from realtime.settings_parsers import mask_url
from realtime.start_error import StartError

# Sharded Pub/Sub, and scripts that may publish to it, begin with 7.0.
OLDEST_VERSION = (7, 0)
SAFE_POLICY = "noeviction"


async def check_redis(url: str, *, timeout_seconds: float) -> None:
    """Return when this Redis can hold the rooms.

    Args:
        url: Its address; its password is kept out of all texts.
        timeout_seconds: Deadline of each step.

    Raises:
        StartError: it cannot be reached, refuses the credentials, is older than 7.0,
            or is set to evict keys, which would lose messages without a word.
    """
    shown = mask_url(url)
    try:
        connection = connection_factory(url, timeout_seconds=timeout_seconds)()
    except ValueError as error:
        raise StartError(f"CHATROOM_REDIS_URL: {error}.") from error
    try:
        await connection.connect()
        _check_version(shown, await _info(connection, "server"))
        _check_eviction(shown, await _info(connection, "memory"))
    except NoPermissionError as error:
        raise StartError(
            f"Redis at {shown} does not let this user ask INFO: {error}"
        ) from error
    except (RedisError, OSError, TimeoutError) as error:
        # redis-py wraps a refused login into its error of the connection.
        if isinstance(error.__cause__, AuthenticationError):
            raise StartError(f"Redis at {shown} refuses the login: {error}") from error
        raise StartError(f"Redis at {shown} cannot be reached: {error}") from error
    finally:
        await connection.disconnect(nowait=True)


async def _info(connection: AbstractConnection, section: str) -> dict[str, str]:
    await connection.send_command("INFO", section)
    text = await connection.read_response()
    lines = (text.decode() if isinstance(text, bytes) else str(text)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _check_version(shown: str, server: dict[str, str]) -> None:
    # Valkey says which Redis it stands for under redis_version: 7.2.4.
    said = server.get("redis_version", "0")
    version = tuple(int(part) for part in said.split(".")[:2] if part.isdigit())
    if version < OLDEST_VERSION:
        raise StartError(
            f"Redis at {shown} is version {said}; 7.0 or newer, or Valkey, is needed."
        )


def _check_eviction(shown: str, memory: dict[str, str]) -> None:
    policy = memory.get("maxmemory_policy", SAFE_POLICY)
    if policy != SAFE_POLICY:
        raise StartError(
            f"Redis at {shown} has maxmemory-policy {policy}: it would evict messages"
            f" without a word. Set it to {SAFE_POLICY}."
        )
