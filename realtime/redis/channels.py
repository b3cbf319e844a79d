"""Names of channels on the wire: Pub/Sub knows no databases, so the name tells them.

Two deployments on two databases of one Redis would hear each other. Those of database 0
are named as they are, for whoever listens with ``redis-cli``.
"""

from typing import Any

from realtime.redis.url import ConnectionFactory


def database_of(factory: ConnectionFactory) -> int:
    """Return the number of the database that the connections select."""
    connection: Any = factory()
    return int(connection.db)


def wire_name(channel: str, database: int) -> str:
    """Return what a channel is called in Redis; it hashes to the slot of the channel.

    ``chatroom-42`` in database 0, ``db1:{chatroom-42}`` in database 1.
    """
    return f"db{database}:{{{channel}}}" if database else channel


def plain_name(name: bytes, database: int) -> bytes:
    """Return the channel that :func:`wire_name` was given."""
    return name[name.index(b"{") + 1 : -1] if database else name
