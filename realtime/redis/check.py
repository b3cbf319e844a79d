"""Says at start, in plain words, why a Redis does not fit."""

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from realtime.errors import StartError
from realtime.redis.url import connection_factory, mask_url
from realtime.tasks import heed_cancellation

# Sharded Pub/Sub, and scripts that may publish to it, begin with 7.0.
OLDEST_VERSION = (7, 0)
SAFE_POLICY = "noeviction"
# WAITAOF, which says that a write is on disk, begins with 7.2.
WAITAOF_VERSION = (7, 2)
FSYNC = "fsync"


async def check_redis(
    url: str, *, timeout_seconds: float, durability: str = "memory"
) -> None:
    """Return when this Redis can hold the rooms, as safely as is demanded.

    Args:
        url: Its address; its password is kept out of all texts.
        timeout_seconds: Deadline of each step.
        durability: The server's level.

    Raises:
        StartError: it cannot be reached, refuses the credentials, is older than 7.0,
            is set to evict keys, which would lose messages without a word, or cannot
            sync writes to disk and is asked to.
    """
    shown = mask_url(url)
    try:
        connection = connection_factory(url, timeout_seconds=timeout_seconds)()
    except ValueError as error:
        raise StartError(f"CHATROOM_REDIS_URL: {error}.") from error
    try:
        await connection.connect()
        heed_cancellation()
        about = await check_server(connection, shown, durability)
        # Of an answer that was being read.
        heed_cancellation()
    except REFUSALS as error:
        raise reason_of(error, shown) from error
    finally:
        await connection.disconnect(nowait=True)
    if about.get("cluster_enabled") == "1":
        raise StartError(
            f"Redis at {shown} is part of a cluster: set CHATROOM_REDIS_URL to"
            f" {_cluster_url(shown)}."
        )


# What stands in the way of a check, or of a connection.
REFUSALS = (RedisError, OSError, TimeoutError)


async def check_server(
    connection: AbstractConnection, shown: str, durability: str
) -> dict[str, str]:
    """Return what a connected server says of clusters, if it can hold rooms.

    Args:
        connection: To the server.
        shown: What it is called in texts.
        durability: The level that it must reach.

    Raises:
        StartError: It does not fit.
        RedisError, OSError, TimeoutError: :data:`REFUSALS`, see :func:`reason_of`.
    """
    version = _check_version(shown, await _info(connection, "server"))
    _check_eviction(shown, await _info(connection, "memory"))
    if durability == FSYNC:
        await _check_fsync(shown, connection, version)
    return await _info(connection, "cluster")


def reason_of(error: Exception, shown: str) -> StartError:
    """Return in plain words why a server cannot be asked."""
    if isinstance(error, NoPermissionError):
        return StartError(
            f"Redis at {shown} does not let this user do what is needed: {error}"
        )
    # redis-py may wrap a refused login into its error of the connection.
    if isinstance(error, AuthenticationError) or isinstance(
        error.__cause__, AuthenticationError
    ):
        return StartError(f"Redis at {shown} refuses the login: {error}")
    return StartError(f"Redis at {shown} cannot be reached: {error}")


def _cluster_url(shown: str) -> str:
    """Return the address of the same server as a cluster's, without a database."""
    scheme, _, rest = shown.partition("://")
    place, question, options = rest.partition("?")
    secure = "rediss" if scheme.startswith("rediss") else "redis"
    return f"{secure}+cluster://{place.partition('/')[0]}{question}{options}"


async def _info(connection: AbstractConnection, section: str) -> dict[str, str]:
    await connection.send_command("INFO", section)
    text = await connection.read_response()
    lines = (text.decode() if isinstance(text, bytes) else str(text)).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _check_version(shown: str, server: dict[str, str]) -> tuple[int, ...]:
    # Valkey says which Redis it stands for under redis_version: 7.2.4.
    said = server.get("redis_version", "0")
    version = tuple(int(part) for part in said.split(".")[:2] if part.isdigit())
    if version < OLDEST_VERSION:
        raise StartError(
            f"Redis at {shown} is version {said}; 7.0 or newer, or Valkey, is needed."
        )
    return version


def _check_eviction(shown: str, memory: dict[str, str]) -> None:
    policy = memory.get("maxmemory_policy", SAFE_POLICY)
    if policy != SAFE_POLICY:
        raise StartError(
            f"Redis at {shown} has maxmemory-policy {policy}: it would evict messages"
            f" without a word. Set it to {SAFE_POLICY}."
        )


async def _check_fsync(
    shown: str, connection: AbstractConnection, version: tuple[int, ...]
) -> None:
    if (await _info(connection, "persistence")).get("aof_enabled") != "1":
        raise StartError(
            f"CHATROOM_DURABILITY=fsync: Redis at {shown} has no append-only file."
            " Set it to appendonly yes."
        )
    if version >= WAITAOF_VERSION:
        return
    await connection.send_command("CONFIG", "GET", "appendfsync")
    said = await connection.read_response()
    if [str(each, "utf-8") for each in said[1:]] != ["always"]:
        raise StartError(
            f"CHATROOM_DURABILITY=fsync: Redis at {shown} has no WAITAOF (7.2 or newer"
            " has). Use a newer one, or appendfsync always."
        )
