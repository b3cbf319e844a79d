"""What is wrong with the Redis of the nodes, asked as a node asks."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from realtime.errors import ChatError, StartError
from realtime.node.opened_redis import opened_redis
from realtime.node.settings import MIB, Settings
from realtime.ops.findings import Findings
from realtime.redis.client import Server
from realtime.redis.connection import ReplyError
from realtime.redis.durability import MEMORY, parse_level
from realtime.redis.site import check_site
from realtime.redis.valkey_control import ping
from realtime.redis.valkey_process import socket_path

# Written and read by nobody else, for a moment.
TRIED_KEY: Final = "chatroom:check"
TRIED_MS: Final = 1_000

# Clocks further apart make tokens end, and messages be dated, noticeably wrong.
APART_SECONDS: Final = 1.0

# A node asks Redis for everything; people feel it from here on.
SLOW_SECONDS: Final = 0.01
QUESTIONS: Final = 20

# Part of the memory that Redis may have at which somebody should look.
FULL_SHARE: Final = 0.8

# A busy node's subscriptions, while it does not read for a moment.
LEAST_BUFFER_BYTES: Final = 32 * MIB

# What the keys of the server begin with.
OWN: Final = ("{chatroom-", "{user-", "{node-", "{hook-", "chatroom:", "{chatroom:")

Info = Mapping[str, str]


class _Asked(NamedTuple):
    """A server, and how it is called in findings."""

    server: Server
    name: str
    found: Findings

    async def info(self, section: str) -> Info:
        """Return what a server tells of itself."""
        text = (await self.server.call("INFO", section)).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def of_redis(
    settings: Settings, *, clock: Callable[[], float] = time.time
) -> Findings:
    """Return what is wrong with Redis; of an embedded one only while it runs.

    Args:
        settings: Of the nodes.
        clock: Unix seconds by this machine.
    """
    found = Findings("redis")
    if settings.redis_url is None:
        # Not started for this: what it writes would be its own doing.
        folder = settings.data_dir
        socket = socket_path(folder) if folder.is_dir() else None
        if socket is None or await ping(socket) is None:
            found.note(f"The embedded Valkey of {folder} does not run.")
            return found
        settings = replace(settings, redis_url=f"unix://{quote(str(socket))}")
    try:
        for warning in await check_site(
            settings.redis_url or "",
            timeout_seconds=settings.redis_timeout_seconds,
            durability=settings.durability,
        ):
            found.warning(warning)
        async with opened_redis(settings, "Redis cannot be looked at") as (redis, _):
            async for address, server in redis.servers():
                name = f"Redis at {address}" if address else "Redis"
                await _look(_Asked(server, name, found), settings, clock)
    except StartError as error:
        found.error(f"{error}")
    return found


async def _look(asked: _Asked, settings: Settings, clock: Callable[[], float]) -> None:
    _look_at_role(asked, await asked.info("replication"), settings)
    _look_at_memory(asked, await asked.info("memory"))
    persistence = await asked.info("persistence")
    _look_at_files(asked, persistence)
    await _look_at_config(asked, settings, persistence)
    await _look_at_clock(asked, clock)
    await _look_at_keys(asked)
    server = asked.server
    try:
        await server.call("SET", server.keys_here(TRIED_KEY)[0], "1", "PX", TRIED_MS)
    except (ChatError, ReplyError) as error:
        asked.found.error(f"{asked.name} takes no writes, so no messages: {error}")


def _look_at_role(asked: _Asked, replication: Info, settings: Settings) -> None:
    found, name = asked.found, asked.name
    if replication.get("role") == "slave":
        found.error(
            "CHATROOM_REDIS_URL leads to a replica, which takes no writes: name the"
            " primary, or the Sentinels."
        )
    wanted = parse_level(settings.durability).replicas
    there = int(replication.get("connected_slaves", 0))
    if there < wanted:
        found.error(
            f"CHATROOM_DURABILITY={settings.durability}, and {name} has {there}"
            " replicas: every message would be `unknown`."
        )


def _look_at_memory(asked: _Asked, memory: Info) -> None:
    found, name = asked.found, asked.name
    used, limit = int(memory.get("used_memory", 0)), int(memory.get("maxmemory", 0))
    whole = int(memory.get("total_system_memory", 0))
    if limit and used > FULL_SHARE * limit:
        found.warning(
            f"{name} uses {used // MIB} of the {limit // MIB} MiB that maxmemory"
            " allows: when it is full no message is taken; raise it."
        )
    elif whole and used > FULL_SHARE * whole:
        found.warning(
            f"{name} uses {used // MIB} of its machine's {whole // MIB} MiB: the kernel"
            " may end it."
        )


def _look_at_files(asked: _Asked, persistence: Info) -> None:
    found, name = asked.found, asked.name
    if persistence.get("aof_enabled") != "1":
        found.warning(
            f"{name} has no append-only file: what came since its last snapshot is lost"
            " when it ends; set appendonly yes."
        )
    for status, what in (
        ("aof_last_write_status", "write to its append-only file"),
        ("aof_last_bgrewrite_status", "rewrite its append-only file"),
        ("rdb_last_bgsave_status", "write its snapshot"),
    ):
        if persistence.get(status, "ok") != "ok":
            found.error(
                f"{name} could not {what}: look at its log, and at the space on its"
                " disk."
            )


async def _look_at_config(asked: _Asked, settings: Settings, persistence: Info) -> None:
    found, name = asked.found, asked.name
    try:
        sync, buffers = [
            (await asked.server.call("CONFIG", "GET", each))[1].decode()
            for each in ("appendfsync", "client-output-buffer-limit")
        ]
    except (ReplyError, IndexError):
        found.note(f"{name} does not show its configuration to this user.")
        return
    is_memory = parse_level(settings.durability) == MEMORY
    if persistence.get("aof_enabled") == "1" and sync != "always" and is_memory:
        found.warning(
            f"appendfsync of {name} is {sync}: a power cut loses up to two seconds of"
            " what was acknowledged; set it to always, or CHATROOM_DURABILITY=fsync."
        )
    words = buffers.split()
    hard = int(words[words.index("pubsub") + 1])
    if 0 < hard < LEAST_BUFFER_BYTES:
        found.warning(
            f"client-output-buffer-limit pubsub of {name} is {hard // MIB} MiB: it cuts"
            " off a node that does not read for a moment; set it to pubsub 256mb 64mb"
            " 60."
        )


async def _look_at_clock(asked: _Asked, clock: Callable[[], float]) -> None:
    found, name = asked.found, asked.name
    took = []
    ahead = 0.0
    for _ in range(QUESTIONS):
        begun, wall = time.perf_counter(), clock()
        seconds, microseconds = await asked.server.call("TIME")
        took.append(time.perf_counter() - begun)
        told = int(seconds) + int(microseconds) / 1_000_000
        ahead = told - (wall + took[-1] / 2)
    if abs(ahead) > APART_SECONDS:
        which = "ahead" if ahead > 0 else "behind"
        found.warning(
            f"The clock of {name} is {abs(ahead):.1f} s {which} of this machine's:"
            " messages are dated by the one, tokens end by the other; keep both by NTP."
        )
    middle = statistics.median(took)
    if middle > SLOW_SECONDS:
        found.warning(
            f"{name} takes {middle * 1000:.0f} ms to answer: each message waits for it"
            " once; put it near the nodes."
        )


async def _look_at_keys(asked: _Asked) -> None:
    found, name = asked.found, asked.name
    try:
        drawn: list[Any] = [
            await asked.server.call("RANDOMKEY") for _ in range(QUESTIONS)
        ]
    except ReplyError:
        found.note(f"{name} does not show this user what else is in it.")
        return
    others = {
        each.decode(errors="replace")
        for each in drawn
        if each is not None and not each.decode(errors="replace").startswith(OWN)
    }
    if others:
        found.warning(
            f"Something else keeps data in {name}, {sorted(others)[0]!a} for one:"
            " what it takes, the rooms lack; give it a Redis of its own."
        )
