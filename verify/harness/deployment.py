"""A deployment made for a run: nodes on a Redis, a proxy in every line."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from redis.asyncio import Redis

from realtime.redis.valkey_process import SOCKET_NAME
from verify.harness.cluster_servers import cluster_url
from verify.harness.nodes import HOST, NODE_COMMAND, NodeProcess
from verify.harness.proxy import FaultProxy, Streams
from verify.harness.receiver import HookReceiver, hook_receiver
from verify.harness.redis_cluster import RedisCluster
from verify.harness.sentinel import SentinelGroup, async_client, sentinel_url
from verify.harness.site import Place, Site
from verify.harness.valkey import LAZY, Valkey

# Settings that differ from the defaults, with the reason.
NODE_SETTINGS = {
    # Faults are seconds long: a silent cut must show within them.
    "CHATROOM_PING_INTERVAL_SECONDS": "2",
    "CHATROOM_PING_TIMEOUT_SECONDS": "2",
    # The whole log is compared at the end, so nothing may be trimmed.
    "CHATROOM_LOG_EVENTS": "1000000",
    "CHATROOM_HISTORY_MESSAGES": "1000000",
    # A killed node's sessions are swept while the run still looks.
    "CHATROOM_LEASE_SECONDS": "4",
    "PYTHONUNBUFFERED": "1",
}


@asynccontextmanager
async def deployment(
    folder: Path,
    *,
    nodes: int,
    command: Sequence[str] = NODE_COMMAND,
    sentinel: bool = False,
    cluster: str | None = None,
    durability: str = "memory",
    webhooks: bool = False,
) -> AsyncIterator[Site]:
    """Run a Redis and several nodes until the block ends.

    Args:
        folder: An empty folder for data, sockets and logs; its path must be short,
            as sockets' paths are.
        nodes: How many.
        command: What runs the ``chatroom`` command; another one for a node with a
            deliberate defect.
        sentinel: Whether the Redis is a primary with replicas under Sentinels.
        cluster: The kind of servers where the Redis is a cluster of them.
        durability: ``CHATROOM_DURABILITY`` of the nodes.
        webhooks: Whether they tell an application what happens.

    Raises:
        StartError: Something does not start.
    """
    # Acks that wait for the disk prove nothing on a server that always does.
    is_lazy = durability == "fsync" and not (sentinel or cluster)
    group, valkey, shards = None, None, None
    async with AsyncExitStack() as stack:
        if sentinel:
            group = await stack.enter_async_context(SentinelGroup(folder))
        elif cluster:
            starting = RedisCluster.start(cluster, folder, apart=True)
            shards = await stack.enter_async_context(starting)
            client = await stack.enter_async_context(shards.client())
        else:
            valkey = Valkey(folder, *(LAZY if is_lazy else ()))
            stack.callback(valkey.close)
            valkey.start()
            await valkey.ready()
            client = await stack.enter_async_context(async_client(valkey.url))

        def redis() -> Redis:
            return client if group is None else group.admin(group.primary)

        settings = {**NODE_SETTINGS, "CHATROOM_DURABILITY": durability}
        settings["CHATROOM_DATA_DIR"] = str(folder)
        receiver = (
            await stack.enter_async_context(hook_receiver()) if webhooks else None
        )
        settings |= _told_to(receiver, folder / "hooks.toml")
        places = []
        for number in range(1, nodes + 1):
            own = folder / f"redis-{number}"
            redis_url, lines = await _redis_lines(own, group, shards)
            process = NodeProcess(
                *("--redis-url", redis_url),
                log=folder / f"node-{number}.log",
                command=command,
                environment=settings,
            )
            place = Place(f"node {number}", FaultProxy(partial(_connect, process)))
            place.redis_lines, place.process = lines, process
            places.append(place)
            for line in (place.client_line, *lines):
                stack.push_async_callback(line.aclose)
            stack.callback(process.kill)
            process.start()
            place.url = f"http://{HOST}:{await place.client_line.listen_tcp()}"
        for place in places:
            if place.process is not None:
                await place.process.ready()
        yield Site(
            places=places,
            redis=redis,
            durability=durability,
            valkey=valkey,
            group=group,
            cluster=shards,
            receiver=receiver,
            is_lazy=is_lazy,
        )


def _told_to(receiver: HookReceiver | None, file: Path) -> dict[str, str]:
    """Return settings by which nodes tell an application, if there is one."""
    if receiver is None:
        return {}
    file.write_text(receiver.file())
    return {"CHATROOM_HOOKS_FILE": str(file), "CHATROOM_HOOK_ALLOW": HOST}


async def _connect(process: NodeProcess) -> Streams:
    # Its port is another one with each start.
    return await asyncio.open_connection(HOST, process.port)


async def _redis_lines(
    own: Path, group: SentinelGroup | None, cluster: RedisCluster | None
) -> tuple[str, list[FaultProxy]]:
    """Open a node's lines to its Redis; return the address that it uses, and them."""
    if cluster is not None:
        return await _lines_to_cluster(cluster)
    if group is not None:
        return await _lines_to_group(group)
    server = own.with_name(SOCKET_NAME)
    line = FaultProxy(partial(asyncio.open_unix_connection, server))
    await line.listen_unix(own)
    return f"unix://{own}", [line]


async def _lines_to_group(group: SentinelGroup) -> tuple[str, list[FaultProxy]]:
    """Open a line to each server and Sentinel; return the address that leads there.

    What the Sentinels answer is changed on the way: each server's port becomes that of
    the node's own line to it.
    """
    own_ports: dict[int, int] = {}

    def translate(answer: bytes) -> bytes:
        for port, own in own_ports.items():
            answer = answer.replace(_word(port), _word(own))
        return answer

    lines = []
    for port in group.ports:
        line = FaultProxy(partial(asyncio.open_connection, "127.0.0.1", port))
        own_ports[port] = await line.listen_tcp()
        lines.append(line)
    sentinels = [
        FaultProxy(partial(_ask, port, translate)) for port in group.sentinel_ports
    ]
    url = sentinel_url([await line.listen_tcp() for line in sentinels])
    return url, lines + sentinels


async def _lines_to_cluster(cluster: RedisCluster) -> tuple[str, list[FaultProxy]]:
    """Open a line to each server; return the address that leads to them alone."""
    lines, ports = [], {}
    for port in cluster.ports:
        line = FaultProxy(partial(asyncio.open_connection, HOST, port))
        ports[cluster.announced[port]] = await line.listen_tcp()
        lines.append(line)
    return cluster_url(ports.values(), instead_of=ports), lines


async def _ask(port: int, translate: Callable[[bytes], bytes]) -> Streams:
    loop = asyncio.get_running_loop()
    reader = _Translating(translate)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.create_connection(lambda: protocol, "127.0.0.1", port)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


class _Translating(asyncio.StreamReader):
    """Changes what is read; an answer of a Sentinel comes in one piece."""

    def __init__(self, translate: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._translate = translate

    async def read(self, n: int = -1) -> bytes:
        return self._translate(await super().read(n))


def _word(port: int) -> bytes:
    """Return a port as Redis sends it: its length, and its digits."""
    return b"\r\n$%d\r\n%d\r\n" % (len(str(port)), port)
