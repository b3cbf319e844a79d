"""What nodes hold when all clients are gone, held against what they held before.

A node begins with nothing for anybody. After a round it must be where it began, but for
what comes with first use and for pools, both bounded here. A node that lives through
several rounds must then stay where it was after the first one.
"""

import re
from collections.abc import Mapping, Sequence

import aiohttp

from verify.harness.nodes import NodeProcess
from verify.harness.process import until
from verify.harness.site import Place
from verify.history import Violation

FIRST_USE: Mapping[str, int] = {
    # A connection to Redis that was away at the start.
    "descriptors": 3,
    # Of large rooms' fan-out, of sessions' ends, of a level of durability: of its
    # connection, and of the look whether that still leads to the primary.
    "asyncio_tasks": 4,
}
"""How many more there may be than in a node that has just started."""

POOLS: Mapping[str, int] = {
    # Of users, and of tokens; dropped when there are as many (realtime/rates.py,
    # realtime/presence/sessions.py).
    "request_buckets": 4_096,
    "user_buckets": 4_096,
    "session_ends": 1_024,
}
"""What is let go of by and by; how many there may be at any time."""

IDLE_SECONDS = 5.0
"""Deadline of the first look: the machine may be busy with others."""

PAUSE_SECONDS = 0.1
"""Between two looks: the last one's connection is to be gone."""

ANSWER_SECONDS = 0.8
"""Deadline of a look. A node that is stopped gives no answer; the next look will."""

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
    """Remembers what nodes may hold when nobody is there, and says what is too much.

    Args:
        places: The nodes; none of the user's own is asked.
        lasting: Names of nodes that live through all rounds.
    """

    def __init__(self, places: Sequence[Place], lasting: frozenset[str]) -> None:
        self._processes = {each.name: each.process for each in places if each.process}
        self._lasting = lasting
        self._idle: dict[str, Mapping[str, int]] = {}
        self._spare: dict[str, Mapping[str, int]] = {}

    async def begin(self) -> None:
        """Look at the nodes before anybody uses them."""
        for name in self._processes:
            if held := await self._look(name, IDLE_SECONDS):
                self.note_idle(name, held)

    def note_idle(self, name: str, held: Mapping[str, int]) -> None:
        """Remember what a node held that had just started."""
        self._idle[name] = held
        self._spare[name] = FIRST_USE

    async def check(self, seconds: float) -> list[Violation]:
        """Return what nodes have not let go of in the time that they have for it."""
        found: list[Violation] = []
        for name in self._processes:
            found += self.take(name, await self._look(name, seconds))
        return found

    async def _look(self, name: str, seconds: float) -> dict[str, int]:
        """Return what a node holds as soon as it is not too much, or in the end."""
        held: dict[str, int] = {}

        async def is_well() -> bool:
            nonlocal held
            held = parse_held(await read_metrics(self._processes[name]))
            return bool(held) and not self._too_much(name, held)

        await until(is_well, seconds, PAUSE_SECONDS)
        return held

    def take(self, name: str, held: Mapping[str, int]) -> list[Violation]:
        """Return what a node holds too much of; one that lasts may hold no more later.

        The others are held against a start each time.
        """
        found = self._too_much(name, held)
        if name in self._lasting and name in self._idle and self._spare[name]:
            idle = self._idle[name]
            most = {kind: max(idle.get(kind, 0), held.get(kind, 0)) for kind in idle}
            self._idle[name], self._spare[name] = most, {}
        return found

    def _too_much(self, name: str, held: Mapping[str, int]) -> list[Violation]:
        """Return what a node holds more of than it may now; all may be if unknown."""
        idle, spare = self._idle.get(name, held), self._spare.get(name, {})
        found = []
        for kind, count in held.items():
            allowed = idle.get(kind, 0) + spare.get(kind, 0)
            if count > max(allowed, POOLS.get(kind, 0)):
                text = f"{name} holds {count} {kind} where {allowed} may be"
                found.append(Violation("released", "-", text))
        return found
