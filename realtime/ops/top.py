"""``chatroom top``: the nodes as they are now, a line for each worker."""

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp

from realtime.errors import StartError
from realtime.node.binding import page_address
from realtime.node.opened_redis import opened_redis
from realtime.node.settings import MIB, Settings
from realtime.ops.samples import Samples, parse
from realtime.store import keys

Say = Callable[[str], None]

# For each node's numbers.
ANSWER_SECONDS: Final = 5.0

# Clears a terminal and goes to its first line.
CLEAR: Final = "\x1b[2J\x1b[H"

HEADS: Final = (
    *("node", "worker", "ready", "sessions", "rooms"),
    *("sends/s", "events/s", "connects/s"),
    *("ack p99", "late p99", "Redis p99", "lag p99", "MiB"),
)

Row = dict[str, Any]


async def top(
    settings: Settings,
    *,
    urls: Sequence[str] | None,
    every_seconds: float,
    once: bool,
    as_json: bool,
    say: Say,
) -> bool:
    """Show nodes until cancelled.

    Args:
        settings: Of the nodes: the token of ``/metrics``, and Redis for their leases.
        urls: Their own addresses; None: the one that the settings name.
        every_seconds: Between two pictures.
        once: One picture.
        as_json: A picture is an object, for programs.
        say: Takes what is shown.

    Returns:
        Whether a node answered, each time.
    """
    places = urls or [page_address(settings.host, settings.port)]
    token = settings.metrics_token
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=limit) as http:
        before = await _ask_all(http, places)
        while True:
            begun = time.monotonic()
            await asyncio.sleep(every_seconds)
            now = await _ask_all(http, places)
            rows = _rows(before, now, time.monotonic() - begun)
            leases = await _leases(settings)
            if as_json:
                say(json.dumps({"nodes": rows, "leases": leases}))
            else:
                clear = "" if once else CLEAR
                say(clear + _table(rows) + "\n" + "\n".join(_told(leases)))
            answered = any("ready" in row for row in rows)
            if once or not answered:
                return answered
            before = now


async def _ask_all(
    http: aiohttp.ClientSession, places: Sequence[str]
) -> dict[str, dict[str, Samples] | str]:
    told = await asyncio.gather(*(_ask(http, place) for place in places))
    return dict(zip(places, told, strict=True))


async def _ask(http: aiohttp.ClientSession, place: str) -> dict[str, Samples] | str:
    """Return a node's numbers by worker, or why there are none."""
    try:
        async with http.get(f"{place.rstrip('/')}/metrics") as answer:
            if answer.status == 200:
                return parse(await answer.text())
            return f"answers {answer.status}: set CHATROOM_METRICS_TOKEN as its own is"
    except (aiohttp.ClientError, TimeoutError) as error:
        return str(error) or type(error).__name__


def _rows(
    before: dict[str, dict[str, Samples] | str],
    now: dict[str, dict[str, Samples] | str],
    seconds: float,
) -> list[Row]:
    rows: list[Row] = []
    for place, told in now.items():
        if isinstance(told, str):
            rows.append({"node": place, "trouble": told})
            continue
        earlier = before[place]
        for worker, samples in told.items():
            last = None if isinstance(earlier, str) else earlier.get(worker)
            rows.append(
                {"node": place, "worker": worker, **_numbers(samples, last, seconds)}
            )
    return rows


def _numbers(now: Samples, before: Samples | None, seconds: float) -> Row:
    def rate(name: str) -> float:
        # One that was started anew began at 0.
        grown = now.total(name) - (before.total(name) if before else now.total(name))
        return max(0.0, grown) / seconds

    def p99(name: str) -> float | None:
        bound = now.quantile(name, 0.99, before)
        return None if math.isnan(bound) else bound

    return {
        "ready": bool(now.total("chatroom_ready")),
        "sessions": int(now.total("chatroom_sessions")),
        "rooms": int(now.total("chatroom_rooms")),
        "sends/s": round(rate("chatroom_messages_total"), 1),
        "events/s": round(rate("chatroom_deliveries_total"), 1),
        "connects/s": round(rate("chatroom_connects_total"), 1),
        "ack p99": p99("chatroom_send_seconds"),
        "late p99": p99("chatroom_delivery_seconds"),
        "Redis p99": p99("chatroom_redis_seconds"),
        "lag p99": p99("chatroom_loop_lag_seconds"),
        "MiB": round(now.total("process_resident_memory_bytes") / MIB),
    }


def _table(rows: Sequence[Row]) -> str:
    lines = [list(HEADS)]
    troubles = []
    for row in rows:
        if "trouble" in row:
            troubles.append(f"{row['node']}: {row['trouble']}")
        else:
            lines.append([_shown(head, row[head]) for head in HEADS])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join([*table, *troubles])


def _shown(head: str, value: Any) -> str:
    if head.endswith("p99"):
        return "-" if value is None else f"<{value * 1000:g} ms"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return str(value)


async def _leases(settings: Settings) -> list[Row] | str:
    """Return the nodes that Redis knows of, or why it cannot be asked."""
    if settings.redis_url is None and not settings.data_dir.is_dir():
        return "Redis is not asked: this is not the data folder's machine."
    try:
        async with opened_redis(settings, "Redis cannot be asked") as (redis, _):
            said = await redis.call("ZRANGE", keys.NODES, 0, -1, "WITHSCORES")
            seconds, _micros = await redis.call("TIME")
            nodes = [each.decode() for each in said[::2]]
            counts = [
                await redis.call("SCARD", keys.node_sessions(node)) for node in nodes
            ]
    except StartError as error:
        return str(error)
    return [
        {
            "node": node,
            "lease_seconds": round(float(ends) / 1000 - int(seconds), 1),
            "attending": int(count),
        }
        for node, ends, count in zip(nodes, said[1::2], counts, strict=True)
    ]


def _told(leases: list[Row] | str) -> list[str]:
    if isinstance(leases, str):
        return [leases]
    living = [each for each in leases if each["lease_seconds"] > 0]
    return [
        f"Redis knows {len(living)} nodes:",
        *(
            f"  {each['node']}  lease of {each['lease_seconds']:g} s,"
            f" {each['attending']} places in rooms"
            for each in living
        ),
    ]
