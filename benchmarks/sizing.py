"""How large a fleet has to be: what a message takes in Redis, and a model of the rest.

    python -m benchmarks.sizing                        # measures Redis, and the table
    python -m benchmarks.sizing --sessions 1000000 --messages 2000 --room 50

What a core does is taken from docs/benchmarks.md; what Redis keeps is measured here, on
a Valkey that is started for it. Nothing of it is proof: the model says where to begin.
"""

import argparse
import asyncio
import math
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from realtime.redis.client import RedisClient
from realtime.redis.url import connection_factory
from realtime.store import scripts
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.personal_log import PersonalLog
from realtime.tasks import gather_started
from verify.harness.valkey import Valkey

MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB

# Of docs/benchmarks.md, CPU µs: a message's way in with its ack (B4, D2: 250 to 480),
# a delivery in small rooms and in large ones (D2, D), and Redis's part of a send.
SEND_US: Final = 300.0
SMALL_DELIVERY_US: Final = 20.0
LARGE_DELIVERY_US: Final = 10.0
LARGE_ROOM: Final = 500
REDIS_US: Final = 150.0
CONNECT_US: Final = 760.0

# Resident bytes: a worker with nothing, a session, and what a worker keeps of rooms.
WORKER_BYTES: Final = 60 * MIB
SESSION_BYTES: Final = 5 * 1024
RECENT_BYTES: Final = 256 * MIB

# An event with a text of 100 characters, and what TCP/IP and TLS add to it.
EVENT_BYTES: Final = 270 + 90

# What a core is to be busy with at the most: the rest is for those who come back.
BUSY: Final = 0.5
SESSIONS_A_WORKER: Final = 20_000


class Kept(NamedTuple):
    """Bytes that Redis keeps, measured; ``file`` is its append-only file's growth."""

    message: float
    file: float
    room: float


async def measure(messages: int, text_bytes: int) -> Kept:
    """Return what Redis keeps of a message, and of a room with one member and none."""
    with tempfile.TemporaryDirectory(prefix="chatroom-sizing-") as folder:
        valkey = Valkey(
            Path(folder), "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"
        )
        valkey.start()
        try:
            valkey.wait_ready()
            return await _measure(valkey, messages, text_bytes)
        finally:
            valkey.close()


async def _measure(valkey: Valkey, messages: int, text_bytes: int) -> Kept:
    factory = connection_factory(valkey.url, timeout_seconds=10)
    redis = RedisClient(
        factory, timeout_seconds=30, limit_calls=20_000, scripts=scripts.ALL
    )
    redis.start()
    try:
        rooms = Memberships(
            redis,
            personal=PersonalLog(redis),
            user_rooms_limit=10_000,
            empty_room_seconds=3600,
        )
        log = MessageLog(
            redis,
            remember_seconds=24 * 3600,
            log_limit=10 * messages,
            log_age_ms=7 * 24 * 3600 * 1000,
            history_limit=10 * messages,
        )

        def used() -> tuple[int, int]:
            memory = valkey.admin.info("memory")["used_memory"]
            return memory, valkey.admin.info("persistence")["aof_current_size"]

        await rooms.admit("warm", "ann")
        begun, _ = used()
        count = 1_000
        for number in range(count):
            await rooms.admit(f"empty-{number}", f"user-{number % 100}")
        with_rooms, _ = used()
        await rooms.admit("42", "ann")
        before, file_before = used()
        content = {"type": "text", "text": "x" * text_bytes}
        for start in range(0, messages, 500):
            await gather_started(
                *(
                    asyncio.ensure_future(
                        log.append(
                            room="42",
                            user="ann",
                            client_id=f"{n:032x}",
                            content=content,
                        )
                    )
                    for n in range(start, start + 500)
                )
            )
        after, file_after = used()
    finally:
        await redis.aclose()
    return Kept(
        (after - before) / messages,
        (file_after - file_before) / messages,
        (with_rooms - begun) / count,
    )


class Fleet(NamedTuple):
    """What a load needs."""

    workers: int
    memory_gib: float
    redis_cores: float
    redis_gib: float
    out_mbit: float
    back_seconds: float


def model(given: argparse.Namespace, kept: Kept) -> Fleet:
    """Return what a load needs, by what was measured."""
    is_large = given.room >= LARGE_ROOM
    delivery = LARGE_DELIVERY_US if is_large else SMALL_DELIVERY_US
    deliveries = given.messages * given.room
    cpu = (given.messages * SEND_US + deliveries * delivery) / 1e6
    # Each node with sessions in a room is published to: one more look a message.
    workers = max(
        math.ceil(cpu / BUSY), math.ceil(given.sessions / SESSIONS_A_WORKER), 2
    )
    return Fleet(
        workers,
        (workers * (WORKER_BYTES + RECENT_BYTES) + given.sessions * SESSION_BYTES)
        / GIB,
        given.messages * REDIS_US / 1e6 / BUSY,
        given.rooms * (given.kept * kept.message + kept.room) / GIB,
        deliveries * EVENT_BYTES * 8 / 1e6,
        # All at once, after the worst: each core lets in so many a second.
        given.sessions * CONNECT_US / 1e6 / workers,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--messages", type=float, default=1_000, help="a second, all")
    parser.add_argument("--room", type=int, default=10, help="sessions of a room")
    parser.add_argument("--rooms", type=int, default=100_000)
    parser.add_argument(
        "--kept",
        type=float,
        default=200,
        help="messages that a room has, on average: at most CHATROOM_HISTORY_MESSAGES",
    )
    parser.add_argument("--text", type=int, default=100, help="bytes of a text")
    parser.add_argument("--measured", type=int, default=10_000, help="messages")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = _arguments()
    kept = asyncio.run(measure(given.measured, given.text))
    print(f"A message of {given.text} bytes takes {kept.message:.0f} bytes of Redis's")
    print(
        f"memory and {kept.file:.0f} of its file; a room with a member {kept.room:.0f}."
    )
    need = model(given, kept)
    print(
        f"{given.sessions:,} sessions, {given.messages:g} messages a second into rooms"
    )
    print(f"of {given.room}, {given.rooms:,} rooms with {given.kept:g} messages each:")
    print(f"  workers (cores)         {need.workers}")
    print(f"  memory of them all      {need.memory_gib:.1f} GiB")
    print(f"  Redis, cores            {need.redis_cores:.2f} (one primary has one)")
    print(f"  Redis, memory           {need.redis_gib:.1f} GiB")
    print(f"  to the clients          {need.out_mbit:.0f} Mbit/s")
    print(f"  all back after the worst {need.back_seconds:.0f} s")


if __name__ == "__main__":
    main()
