"""Fan-out: the same packets to every session of a room, in order, in small steps.

A room of a few hundred sessions is served at once. A larger one is served in chunks,
and between two chunks the event loop runs: acks and other rooms do not wait behind it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

_logger = logging.getLogger(__name__)

Packet = str | bytes
Write = Callable[[Iterable[str], Sequence[Packet]], None]

# Sessions served without a break: some 4 ms of system calls at 8 µs each.
CHUNK_SESSIONS = 500


class _Job:
    """Packets, and the sessions that are still to get them."""

    __slots__ = ("packets", "remaining")

    def __init__(self, packets: Sequence[Packet], remaining: dict[str, str]) -> None:
        self.packets = packets
        self.remaining = remaining


class FanOut:
    """Writes packets to rooms; each room's packets go out in the order given.

    Who gets a packet is decided when it is handed over: a session that enters a
    moment later does not, even while the packet is still on its way to others.

    Args:
        write: Writes packets to sessions without suspending.
    """

    def __init__(self, write: Write) -> None:
        self._write = write
        self._jobs: dict[str, deque[_Job]] = {}
        self._wake = asyncio.Event()

    def send(
        self,
        room: str,
        members: Mapping[str, str],
        packets: Sequence[Packet],
        skip: Collection[str] = (),
    ) -> None:
        """Send packets to the sessions of a room, after what was sent before.

        Args:
            room: Name by which packets are kept in order.
            members: sid → eio_sid of the sessions, as they are now.
            packets: Encoded Socket.IO packets.
            skip: sids left out.
        """
        waiting = self._jobs.get(room)
        if waiting is None and len(members) <= CHUNK_SESSIONS:
            self._hand_over(_addresses(members, skip), packets)
            return
        remaining = dict(members)
        for sid in skip:
            remaining.pop(sid, None)
        if waiting is None:
            waiting = self._jobs[room] = deque()
        waiting.append(_Job(packets, remaining))
        self._wake.set()

    def forget(self, room: str, sid: str) -> None:
        """Leave a session out of what still waits for a room: it has left."""
        for job in self._jobs.get(room, ()):
            job.remaining.pop(sid, None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for any room: most of the time."""
        return not self._jobs

    def backlog(self, room: str) -> int:
        """Return how many hand-overs of a room are still going out."""
        return len(self._jobs.get(room, ()))

    @property
    def total_backlog(self) -> int:
        """How many hand-overs of all rooms are still going out."""
        return sum(len(jobs) for jobs in self._jobs.values())

    async def run(self) -> None:
        """Serve large rooms; cancelled, drop what waits: the sessions end too."""
        try:
            while True:
                if not self._jobs:
                    self._wake.clear()
                    await self._wake.wait()
                for room in list(self._jobs):
                    self._serve_chunk(room)
                    await asyncio.sleep(0)
        finally:
            self._jobs.clear()

    def _serve_chunk(self, room: str) -> None:
        jobs = self._jobs.get(room)
        if not jobs:
            return
        job = jobs[0]
        size = min(CHUNK_SESSIONS, len(job.remaining))
        chunk = [job.remaining.popitem()[1] for _ in range(size)]
        self._hand_over(chunk, job.packets)
        if not job.remaining:
            jobs.popleft()
            if not jobs:
                del self._jobs[room]

    def _hand_over(self, addresses: Iterable[str], packets: Sequence[Packet]) -> None:
        try:
            self._write(addresses, packets)
        except Exception:
            # A defect of the engine: the other rooms and sessions must not pay for it.
            _logger.exception("Packets could not be written")


def _addresses(members: Mapping[str, str], skip: Collection[str]) -> Iterable[str]:
    if not skip:
        return members.values()
    return [address for sid, address in members.items() if sid not in skip]
