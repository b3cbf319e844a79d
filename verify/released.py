"""What nodes hold when all clients are gone, held against what they held before.

A node begins with nothing for anybody. After a round it must be where it began, but for
what comes with first use and for pools, both bounded here: what each round leaves
behind is too much after a few.
"""

import re
from collections.abc import Mapping, Sequence

import aiohttp

from verify.harness.nodes import NodeProcess
from verify.harness.process import until
from verify.harness.site import Place
from verify.history import Violation

# How many more there may be than in a node that has just started.
FIRST_USE: Mapping[str, int] = {
    # A connection to Redis that was away at the start.
    "descriptors": 3,
    # Of large rooms' fan-out, of sessions' ends, of a level of durability: of its
    # connection, and of the look whether that still leads to the primary.
    "asyncio_tasks": 4,
}

# What is let go of by and by; how many there may be at any time.
POOLS: Mapping[str, int] = {
    # Of users, and of tokens; dropped when there are as many (realtime/rates.py,
    # realtime/presence/sessions.py).
    "request_buckets": 4_096,
    "user_buckets": 4_096,
    "session_ends": 1_024,
    # Rooms that are noted for those who pass events on; all are dropped when there are
    # as many (realtime/store/outbox.py).
    "outbox_rooms": 10_000,
}

# Deadline of the first look: the machine may be busy with others.
IDLE_SECONDS = 5.0

# Between two looks: the last one's connection is to be gone.
PAUSE_SECONDS = 0.1

# Deadline of a look. A node that is stopped gives no answer; the next look will.
ANSWER_SECONDS = 0.8

_OBJECTS = re.compile(r'^chatroom_objects\{kind="([^"]*)"\} (\S+)$', re.MULTILINE)
_DESCRIPTORS = re.compile(r"^process_open_fds (\S+)$", re.MULTILINE)


def parse_held(metrics: str) -> dict[str, int]:
    """Return what a node's ``/metrics`` says that it holds, by kind."""
    held = {kind: int(float(count)) for kind, count in _OBJECTS.findall(metrics)}
    if found := _DESCRIPTORS.search(metrics):
        held["descriptors"] = int(float(found[1]))
    return held


async def read_metrics(process: NodeProcess) -> str:
    """Return a node's ``/metrics``, past the faults; empty if it does not answer."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    # No connection is kept: it would be one of those that are counted.
    connector = aiohttp.TCPConnector(force_close=True)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.get(f"{process.url}/metrics", raise_for_status=True) as answer,
        ):
            return await answer.text()
    except (aiohttp.ClientError, OSError):
        # TimeoutError is an OSError.
        return ""


class Census:
    """Remembers what nodes held before the first client, and says what is too much.

    Args:
        places: The nodes; none of the user's own is asked.
    """

    def __init__(self, places: Sequence[Place]) -> None:
        self._processes = {each.name: each.process for each in places if each.process}
        self._idle: dict[str, Mapping[str, int]] = {}

    async def begin(self) -> None:
        """Look at the nodes before anybody uses them."""
        for name in self._processes:
            if held := await self._look(name, IDLE_SECONDS):
                self._idle[name] = held

    async def check(self, seconds: float) -> list[Violation]:
        """Return what nodes have not let go of in the time that they have for it."""
        found: list[Violation] = []
        for name in self._processes:
            held = await self._look(name, seconds)
            found += [
                Violation("released", "-", f"{name} holds {text}")
                for text in too_much(self._idle.get(name, held), held)
            ]
        return found

    async def _look(self, name: str, seconds: float) -> dict[str, int]:
        """Return what a node holds as soon as it is not too much, or in the end."""
        held: dict[str, int] = {}

        async def is_well() -> bool:
            nonlocal held
            held = parse_held(await read_metrics(self._processes[name]))
            return bool(held) and not too_much(self._idle.get(name, held), held)

        await until(is_well, seconds, PAUSE_SECONDS)
        return held


def too_much(idle: Mapping[str, int], held: Mapping[str, int]) -> list[str]:
    """Say what a node holds more of than it may, by what it held when it was idle."""
    found = []
    for kind, count in held.items():
        allowed = idle.get(kind, 0) + FIRST_USE.get(kind, 0)
        if count > max(allowed, POOLS.get(kind, 0)):
            found.append(f"{count} {kind} where {allowed} may be")
    return found
