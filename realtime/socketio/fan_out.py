"""Fan-out: the same packets to every session of a room, in order, in small steps.

A room of one block, in which nobody lags, is served at once. In a larger one a sweep
goes round, in chunks, and between two chunks the event loop runs: acks and other rooms
do not wait behind it. What comes meanwhile goes out in one write with what a session
has not had yet. So the busier a room is, the fewer writes a message costs, and nobody
waits for more to come.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Final

from realtime.socketio.sweep import BLOCK_MEMBERS, Packet, Share, Sweep

_logger = logging.getLogger(__name__)

Write = Callable[[Iterable[str], Sequence[Packet]], None]

# Time for which sweeps are served without a break: the shorter, the sooner what has
# come meanwhile joins in. In a busy loop they get as long as everything else took since
# the last time, up to so many times that: large rooms must not starve.
CHUNK_SECONDS: Final = 0.001
LONGEST_CHUNK: Final = 4

# Characters of packets that may be on their way round a room, and round all rooms of
# a node. Both are reached by a server that does not get to writing; what is beyond is
# read from the log later. One hand-over, such as a page of a log, may come on top.
ROOM_BYTES: Final = 1024 * 1024
ROOMS_BYTES: Final = 16 * ROOM_BYTES


class FanOut:
    """Writes packets to rooms; each room's packets go out in the order given.

    Who gets a packet is decided when it is handed over: a session that enters a
    moment later does not, even while the packet is still on its way to others.

    Args:
        write: Writes packets to sessions without suspending.
        block_members: Sessions that are served without a look at the clock.
        chunk_seconds: Time for which sweeps are served without a break, at least.

    Attributes:
        waiting_bytes: Characters of what is on its way round rooms.
    """

    def __init__(
        self,
        write: Write,
        *,
        block_members: int = BLOCK_MEMBERS,
        chunk_seconds: float = CHUNK_SECONDS,
    ) -> None:
        self._write = write
        self._block_members = block_members
        self._chunk_seconds = chunk_seconds
        # Rooms in which somebody lags.
        self._sweeps: dict[Hashable, Sweep] = {}
        self._turns: deque[Hashable] = deque()
        self._wake = asyncio.Event()
        self.waiting_bytes = 0

    def send(
        self,
        room: Hashable,
        members: Mapping[str, str],
        packets: Sequence[Packet],
        skip: Collection[str] = (),
    ) -> None:
        """Send packets to the sessions of a room, after what was sent before.

        Args:
            room: Name by which packets are kept in order.
            members: sid → eio_sid of the sessions, as they are now. Later changes are
                told by the methods below, while the fan-out is not idle.
            packets: Encoded Socket.IO packets.
            skip: sids left out.
        """
        sweep = self._sweeps.get(room)
        if sweep is None:
            if len(members) <= self._block_members:
                addresses = _without(members, skip) if skip else members.values()
                self._hand_over(addresses, packets)
                return
            sweep = self._sweeps[room] = Sweep(members, self._block_members)
            self._turns.append(room)
            self._wake.set()
        before = sweep.size
        sweep.publish(packets, skip)
        self.waiting_bytes += sweep.size - before

    def enter(self, room: Hashable, sid: str, address: str) -> None:
        """Take note of a session that is new in a room."""
        sweep = self._sweeps.get(room)
        if sweep is not None:
            sweep.enter(sid, address)

    def leave(self, room: Hashable, sid: str, *, last: bool = False) -> None:
        """Leave a session out of what is on its way round a room.

        Args:
            room: The room.
            sid: The session.
            last: Whether it is given what it still lacks, now.
        """
        sweep = self._sweeps.get(room)
        if sweep is None:
            return
        before = sweep.size
        shares = sweep.leave(sid)
        self.waiting_bytes += sweep.size - before
        if last:
            self._give(shares)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for any room: most of the time."""
        return not self._sweeps

    def backlog(self, room: Hashable) -> float:
        """Return how full a room's sweep is, by either bound: 1 is full.

        A room that nothing waits for is empty, however much waits for others.
        """
        size = self.waiting_for(room)
        return max(size / ROOM_BYTES, self.waiting_bytes / ROOMS_BYTES) if size else 0.0

    def waiting_for(self, room: Hashable) -> int:
        """Return the characters of what is on its way round a room."""
        sweep = self._sweeps.get(room)
        return 0 if sweep is None else sweep.size

    async def run(self) -> None:
        """Serve large rooms; cancelled, drop what waits: the sessions end too."""
        least, most = self._chunk_seconds, LONGEST_CHUNK * self._chunk_seconds
        others = 0.0
        try:
            while True:
                if not self._sweeps:
                    self._wake.clear()
                    await self._wake.wait()
                    others = 0.0
                self.serve(min(max(least, others), most))
                ended = time.perf_counter()
                await asyncio.sleep(0)
                others = time.perf_counter() - ended
        finally:
            self._sweeps.clear()
            self._turns.clear()
            self.waiting_bytes = 0

    def serve(self, seconds: float) -> None:
        """Serve rooms in turn for so long, a block each, at least one of them."""
        until = time.perf_counter() + seconds
        while self._turns:
            room = self._turns.popleft()
            sweep = self._sweeps[room]
            before = sweep.size
            shares = sweep.take()
            self.waiting_bytes += sweep.size - before
            if sweep.is_done:
                del self._sweeps[room]
            else:
                self._turns.append(room)
            self._give(shares)
            if time.perf_counter() >= until:
                return

    def _give(self, shares: Iterable[Share]) -> None:
        for addresses, packets in shares:
            self._hand_over(addresses, packets)

    def _hand_over(self, addresses: Iterable[str], packets: Sequence[Packet]) -> None:
        try:
            self._write(addresses, packets)
        except Exception:
            # A defect of the engine: the other rooms and sessions must not pay for it.
            _logger.exception("Packets could not be written")


def _without(members: Mapping[str, str], skip: Collection[str]) -> Iterable[str]:
    return [address for sid, address in members.items() if sid not in skip]
