"""A primary with two replicas under three Sentinels, as processes to be killed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.redis.valkey_process import valkey_binary
from realtime.start_error import StartError
from realtime.tasks import end_task
from verify.harness.process import ChildProcess, looks
from verify.harness.valkey import LAZY, Valkey, free_ports

SERVICE = "chat"
SERVERS = 3
SENTINELS = 3
QUORUM = 2

DOWN_AFTER_MS = 1_000
"""Silence after which a Sentinel holds a server to be down."""

PERIODS_MS = {"PING-PERIOD": 400, "INFO-PERIOD": 500}
"""How often Sentinels ask a server for a sign of life, and how it stands. The first is
once a second by default: then a healthy primary that they have just promoted often
counts as down, and is replaced once more. The second is every ten seconds: a failover
whose replicas have not been heard of for seconds is put off for ten more."""

FAILOVER_TIMEOUT_MS = 5_000
"""A failover that is not done by then is given up, and tried again after twice that."""

WHOLE_SECONDS = 30.0
"""Deadline until all is in its place: a former primary that comes back by itself is
made a replica after some ten seconds, and a Sentinel looks at replicas every ten."""

AMISS = frozenset({"s_down", "o_down", "disconnected"})
"""Flags by which a Sentinel says that it does not reach a server or another one."""

ADMIN_SECONDS = 2.0
"""Deadline of one command to a server."""

ASK_SECONDS = 0.5
"""Deadline of a question to a Sentinel, which may be stopped."""

WATCH_SECONDS = 0.1
"""Between two looks who is the primary."""


class SentinelGroup:
    """One primary, two replicas, three Sentinels; all die with this process.

    Attributes:
        ports: Of the servers.
        sentinel_ports: Of the Sentinels.
        processes: All of them, by port.
        primary: Port of the primary, as it was last asked for.
        changes: When the Sentinels named another primary, asked for or not.
        turn: Held by the one fault at a time that strikes the group.

    Args:
        folder: An empty folder for data, configuration and logs.
    """

    def __init__(self, folder: Path) -> None:
        ports = free_ports(SERVERS + SENTINELS)
        self.ports, self.sentinel_ports = ports[:SERVERS], ports[SERVERS:]
        self.primary = self.ports[0]
        self.changes: list[float] = []
        self.turn = asyncio.Lock()
        self._folder = folder
        self._servers = {port: _server(folder, port) for port in self.ports}
        self._sentinels = {
            port: ChildProcess(folder / f"sentinel-{port}.log")
            for port in self.sentinel_ports
        }
        self.processes: dict[int, ChildProcess] = {**self._servers, **self._sentinels}
        self._clients = {
            port: async_client(
                f"redis://127.0.0.1:{port}",
                ADMIN_SECONDS if port in self.ports else ASK_SECONDS,
            )
            for port in ports
        }
        self._watching: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address that nodes use."""
        return sentinel_url(self.sentinel_ports)

    @property
    def replicas(self) -> list[int]:
        """Ports of the servers that are not the primary."""
        return [port for port in self.ports if port != self.primary]

    def admin(self, port: int) -> Redis:
        """Return the run's own client of one server or Sentinel."""
        return self._clients[port]

    async def __aenter__(self) -> Self:
        """Start all; the block begins when replicas have synced and Sentinels agree.

        Raises:
            StartError: They do not in time.
        """
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _start(self) -> None:
        for port in self.ports:
            self.start_server(port)
        # A Sentinel that finds no replicas at first asks for them again late.
        await self._until(self._synced, "the replicas have not synced")
        for port in self.sentinel_ports:
            await self.start_sentinel(port)
        await self.whole()
        self._watching = asyncio.create_task(self._watch(), name="primary-watch")

    async def __aexit__(self, *_error: object) -> None:
        await end_task(self._watching)
        for client in self._clients.values():
            await client.aclose()
        for process in self.processes.values():
            process.kill()

    def kill(self, port: int) -> None:
        """SIGKILL one server or Sentinel."""
        self.processes[port].kill()

    def start_server(self, port: int) -> None:
        """Start a server on the data there is; as a replica, unless it is the primary.

        That is what a server's start script does: it asks the Sentinels first.
        """
        replica = ("--replicaof", f"127.0.0.1 {self.primary}")
        self._servers[port].start(*(replica if port != self.primary else ()))

    async def start_sentinel(self, port: int) -> None:
        """Start a Sentinel; one that was there before goes on from its own notes."""
        config = self._folder / f"sentinel-{port}.conf"
        if not config.exists():
            config.write_text(
                f"port {port}\nbind 127.0.0.1\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary} {QUORUM}\n"
                f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {SERVICE} {FAILOVER_TIMEOUT_MS}\n"
            )
        self._sentinels[port].spawn((str(valkey_binary()), str(config), "--sentinel"))

        async def told() -> bool:
            for name, period in PERIODS_MS.items():
                sentinel: Any = self._clients[port]
                await sentinel.execute_command("SENTINEL", "DEBUG", name, period)
            return True

        await self._until(told, "a Sentinel does not start")

    async def fail_over(self) -> None:
        """Have the Sentinels hand the primary's place over, as for maintenance."""
        sentinel = self._clients[self.sentinel_ports[0]]
        await sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)

    async def promoted(self, former: int) -> float:
        """Wait until the Sentinels name another primary; return when they did.

        Raises:
            StartError: They do not in time.
        """

        async def another() -> bool:
            return await self._ask_primary() not in (None, former)

        await self._until(another, "no replica was promoted")
        at = time.monotonic()
        self.primary = await self._ask_primary() or self.primary
        return at

    async def demoted(self, former: int) -> float:
        """Wait until a former primary is none any more; return when it was so.

        Raises:
            StartError: It is not in time.
        """

        async def is_replica() -> bool:
            info: Any = await self._clients[former].info("replication")
            return bool(info.get("role") == "slave")

        await self._until(is_replica, "the former primary is no replica")
        return time.monotonic()

    async def whole(self) -> None:
        """Wait until both replicas follow the primary and all Sentinels see that.

        Raises:
            StartError: They do not in time.
        """

        async def is_whole() -> bool:
            self.primary = await self._ask_primary() or self.primary
            return await self._synced() and await self._watched()

        await self._until(is_whole, "the Sentinels' group is not whole")

    async def _watch(self) -> None:
        """Note each change of the primary."""
        known = self.primary
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            found = await self._ask_primary()
            if found not in (None, known):
                known = found or known
                self.changes.append(time.monotonic())

    async def _synced(self) -> bool:
        """Tell whether both replicas follow the primary, up to the last second."""
        info: Any = await self._clients[self.primary].info("replication")
        found = [info.get(f"slave{number}", {}) for number in range(SERVERS - 1)]
        online = all(each.get("state") == "online" for each in found)
        return online and all(each.get("lag", 9) <= 1 for each in found)

    async def _watched(self) -> bool:
        """Tell whether each Sentinel knows the whole group, and nothing is down."""
        for port in self.sentinel_ports:
            sentinel = self._clients[port]
            state: Any = await sentinel.sentinel_master(SERVICE)
            servers: Any = await sentinel.sentinel_slaves(SERVICE)
            others: Any = await sentinel.sentinel_sentinels(SERVICE)
            as_it_is = int(state["port"]) == self.primary
            is_whole = (len(servers), len(others)) == (SERVERS - 1, SENTINELS - 1)
            flags = [str(each["flags"]) for each in (state, *servers, *others)]
            if not as_it_is or not is_whole or AMISS & set(",".join(flags).split(",")):
                return False
        return True

    async def _ask_primary(self) -> int | None:
        """Return the primary of the newest epoch among the Sentinels that answer."""
        asked = [self._ask(self._clients[port]) for port in self.sentinel_ports]
        told = [answer for answer in await asyncio.gather(*asked) if answer]
        return max(told)[1] if told else None

    async def _ask(self, sentinel: Redis) -> tuple[int, int] | None:
        """Return the epoch and the port that a Sentinel names; None if it does not."""
        try:
            state: Any = await sentinel.sentinel_master(SERVICE)
            # In the middle of a failover this is the promoted one already.
            address: Any = await sentinel.sentinel_get_master_addr_by_name(SERVICE)
        except (RedisError, OSError):
            return None
        return int(state["config-epoch"]), int(address[1])

    async def _until(self, condition: Callable[[], Awaitable[bool]], why: str) -> None:
        for pause in looks(WHOLE_SECONDS):
            try:
                if await condition():
                    return
            except (RedisError, OSError):
                # It is on its way up, or down.
                pass
            await asyncio.sleep(pause)
        raise StartError(f"Sentinel: {why}.")


def sentinel_url(ports: Sequence[int]) -> str:
    """Return the address of the primary that Sentinels on these ports watch."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"sentinel://{hosts}/0/{SERVICE}"


def _server(folder: Path, port: int) -> Valkey:
    own = folder / str(port)
    own.mkdir()
    return Valkey(own, *LAZY, "--repl-diskless-sync-delay", "0", port=port)


def async_client(url: str, seconds: float = ADMIN_SECONDS) -> Redis:
    """Return the run's own client of a server, with a deadline for each command."""
    client: Redis = Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        # A server that was killed has closed what the pool still holds.
        retry=Retry(NoBackoff(), 1),
    )
    return client
