"""A primary with two replicas under three Sentinels, as processes to be killed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from realtime.errors import StartError
from realtime.redis.valkey_process import valkey_binary
from realtime.tasks import end_task
from verify.harness.process import ChildProcess, until
from verify.harness.valkey import LAZY, Valkey, free_ports

SERVICE = "chat"
SERVERS, SENTINELS, QUORUM = 3, 3, 2

# Silence after which a Sentinel holds a server to be down.
DOWN_AFTER_MS = 1_000

# How often Sentinels ask a server for a sign of life, and how it stands. The first is
# once a second by default: then a healthy primary that they have just promoted often
# counts as down, and is replaced once more. The second is every ten seconds: a failover
# whose replicas have not been heard of for seconds is put off for ten more.
PERIODS_MS = {"PING-PERIOD": 400, "INFO-PERIOD": 500}

# A failover that is not done by then is given up, and tried again after twice that.
FAILOVER_TIMEOUT_MS = 5_000

# Deadline until all is in its place: a former primary that comes back by itself is made
# a replica after some ten seconds, and a Sentinel looks at replicas every ten.
WHOLE_SECONDS = 30.0

# Flags by which a Sentinel says that it does not reach a server or another one.
AMISS = frozenset({"s_down", "o_down", "disconnected"})

# Deadline of one command to a server.
ADMIN_SECONDS = 2.0

# Deadline of a question to a Sentinel, which may be stopped.
ASK_SECONDS = 0.5

# Between two looks who is the primary.
WATCH_SECONDS = 0.1


class _Server(Valkey):
    """One of the group; started as a replica unless it is the primary.

    That is what a server's start script does: it asks the Sentinels first.
    """

    def __init__(self, group: "SentinelGroup", folder: Path, port: int) -> None:
        folder.mkdir()
        super().__init__(folder, *LAZY, "--repl-diskless-sync-delay", "0", port=port)
        self._group = group
        self._port = port

    def start(self, *options: str) -> None:
        primary = self._group.primary
        replica = ("--replicaof", f"127.0.0.1 {primary}")
        super().start(*options, *(replica if self._port != primary else ()))


class _Sentinel(ChildProcess):
    """One that was there before goes on from its own notes."""

    def __init__(self, folder: Path, port: int, primary: int) -> None:
        super().__init__(folder / f"sentinel-{port}.log")
        self._config = folder / f"sentinel-{port}.conf"
        self._config.write_text(
            f"port {port}\nbind 127.0.0.1\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} {QUORUM}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} {FAILOVER_TIMEOUT_MS}\n"
        )
        self._admin = redis.Redis(port=port, socket_timeout=ASK_SECONDS)

    def start(self) -> None:
        self.spawn((str(valkey_binary()), str(self._config), "--sentinel"))

    def is_serving(self) -> bool:
        try:
            for name, period in PERIODS_MS.items():
                self._admin.execute_command("SENTINEL", "DEBUG", name, period)
        except (redis.RedisError, OSError):
            return False
        return True


class SentinelGroup:
    """One primary, two replicas, three Sentinels; started and ended with the block.

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
        self.processes: dict[int, ChildProcess] = {}
        for port in self.ports:
            self.processes[port] = _Server(self, folder / str(port), port)
        for port in self.sentinel_ports:
            self.processes[port] = _Sentinel(folder, port, self.primary)
        self._clients = {
            port: async_client(
                f"redis://127.0.0.1:{port}",
                ADMIN_SECONDS if port in self.ports else ASK_SECONDS,
            )
            for port in ports
        }
        self._stack = AsyncExitStack()

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
        """Begin the block when replicas have synced and Sentinels agree.

        Raises:
            StartError: They do not in time.
        """
        try:
            for port in (*self.ports, *self.sentinel_ports):
                self._stack.callback(self.processes[port].kill)
                self._stack.push_async_callback(self._clients[port].aclose)
                if port == self.sentinel_ports[0]:
                    # One that finds no replicas at first asks for them again late.
                    await self._until(self._synced, "the replicas have not synced")
                self.processes[port].start()
                await self.processes[port].ready()
            await self.whole()
        except BaseException:
            await self._stack.aclose()
            raise
        watch = asyncio.create_task(self._watch(), name="primary-watch")
        self._stack.push_async_callback(end_task, watch)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def fail_over(self) -> None:
        """Have the Sentinels hand the primary's place over, as for maintenance."""
        sentinel: Any = self._clients[self.sentinel_ports[0]]
        await sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)

    async def promoted(self, former: int) -> float:
        """Wait until the Sentinels name another primary; return when they did."""

        async def another() -> bool:
            self.primary = await self._ask_primary() or former
            return self.primary != former

        return await self._until(another, "no replica was promoted")

    async def demoted(self, former: int) -> float:
        """Wait until a former primary is none any more; return when it was so."""

        async def is_replica() -> bool:
            info: Any = await self._clients[former].info("replication")
            return bool(info.get("role") == "slave")

        return await self._until(is_replica, "the former primary is no replica")

    async def whole(self) -> float:
        """Wait until both replicas follow the primary and all Sentinels see that."""

        async def is_whole() -> bool:
            self.primary = await self._ask_primary() or self.primary
            return await self._synced() and await self._watched()

        return await self._until(is_whole, "it is not whole")

    async def _watch(self) -> None:
        """Note each change of the primary."""
        known = self.primary
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if (found := await self._ask_primary() or known) != known:
                known = found
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

    async def _until(self, condition: Callable[[], Awaitable[bool]], why: str) -> float:
        """Return when it was so.

        Raises:
            StartError: It was not in time.
        """

        async def holds() -> bool:
            try:
                return await condition()
            except (RedisError, OSError):
                # It is on its way up, or down.
                return False

        if not await until(holds, WHOLE_SECONDS):
            raise StartError(f"The Sentinels' group: {why}.")
        return time.monotonic()


def sentinel_url(ports: Sequence[int]) -> str:
    """Return the address of the primary that Sentinels on these ports watch."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"sentinel://{hosts}/0/{SERVICE}"


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
