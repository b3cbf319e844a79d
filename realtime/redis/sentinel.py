"""Asks Sentinels for the primary: all of them at once, and the newest word counts.

One after the other, as client libraries do it, a Sentinel that hangs takes up the time
there is to connect: the machine that fails takes its Sentinel along.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from realtime.redis.asking import answers

# How often the Sentinels are asked whether a connection still leads to the primary. A
# former one serves on for some ten seconds after a planned failover.
LOOK_SECONDS: Final = 0.5

# Flags by which a Sentinel says that it does not reach the primary.
DOWN: Final = frozenset({b"s_down", b"o_down"})


class Primary(NamedTuple):
    """Where the primary is. A failover gives a higher epoch."""

    epoch: int
    host: str
    port: int


class Sentinels:
    """The Sentinels of one service.

    Args:
        hosts: Their addresses.
        service: Name of the service.
        timeout_seconds: Deadline of each step with one of them.
        username: At the Sentinels, if they have users.
        password: At the Sentinels, if they have one.
        tls: The options of TLS to the Sentinels; None: without TLS.
    """

    def __init__(
        self,
        hosts: Sequence[tuple[str, int]],
        service: str,
        *,
        timeout_seconds: float,
        username: str | None = None,
        password: str | None = None,
        tls: Mapping[str, Any] | None = None,
    ) -> None:
        self.hosts = tuple(hosts)
        self.service = service
        self.options: dict[str, Any] = {
            "protocol": 2,
            "socket_timeout": timeout_seconds,
            "socket_connect_timeout": timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            "username": username,
            "password": password,
            **(tls or {}),
        }
        self.kind = Connection if tls is None else SSLConnection
        self._looking = asyncio.Lock()
        self._looked_at = 0.0
        self._seen: Primary | None = None

    async def primary(self) -> Primary:
        """Return where the primary is now.

        Raises:
            ConnectionError: of redis-py: no Sentinel knows of one that works.
        """
        asking = (self._ask(*host) for host in self.hosts)
        found = await answers(asking, "redis-sentinel")
        if not found:
            raise RedisConnectionError(f"No Sentinel knows a primary of {self.service}")
        return max(found)

    async def replaced(self, former: Primary) -> Primary:
        """Wait until a failover has put another one in a primary's place."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            found = await self._look()
            if found and found.epoch > former.epoch and found[1:] != former[1:]:
                return found

    async def _look(self) -> Primary | None:
        """Return what all connections of a node ask for together; None if unknown."""
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at > LOOK_SECONDS / 2:
                try:
                    self._seen = await self.primary()
                except RedisConnectionError:
                    self._seen = None
                self._looked_at = now
            return self._seen

    async def _ask(self, host: str, port: int) -> Primary | None:
        """Return what one Sentinel says; None if it does not, or of none that works.

        Raises:
            KeyError, ValueError: It is no Sentinel.
        """
        sentinel = self.kind(host=host, port=port, **self.options)
        try:
            await sentinel.connect()
            await sentinel.send_command("SENTINEL", "MASTER", self.service)
            words = await sentinel.read_response()
            # In the middle of a failover this is the promoted one, MASTER the former.
            await sentinel.send_command(
                "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service
            )
            address = await sentinel.read_response()
        except (RedisError, OSError):
            return None
        finally:
            await sentinel.disconnect(nowait=True)
        state = dict(zip(words[::2], words[1::2], strict=True))
        is_former = [state[b"ip"], state[b"port"]] == address
        if is_former and DOWN & set(state[b"flags"].split(b",")):
            return None
        host, port = address[0].decode(), int(address[1])
        return Primary(int(state[b"config-epoch"]), host, port)
