"""A room's packets on their way round its members: who has had which. No I/O here.

Packets have running numbers. The members stand in a ring of blocks; those of a block
have had the same. The block that lags most is served next, gets all that it lacks, and
goes to the end of the ring. So the numbers never fall along the ring, and what comes
while a sweep goes round joins what the members further on have not had yet.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

Packet = str | bytes

# Packets, and the addresses of those that they are to be written to in one go.
Share = tuple[Iterable[str], Sequence[Packet]]

# Members of a block, who are served without a look at the clock: under 1 ms of system
# calls. Blocks that have shrunk, and single newcomers, are joined up to twice that.
BLOCK_MEMBERS: Final = 100

_NOBODY: Final[Collection[str]] = ()


class _Block:
    """Members that have had the same.

    Attributes:
        members: sid → address.
        next: Number of the packet that they are to get next.
    """

    __slots__ = ("members", "next")

    def __init__(self, members: dict[str, str], number: int) -> None:
        self.members = members
        self.next = number


class Sweep:
    """What a room's members are still to get.

    Args:
        members: sid → address of those in the room; they lack nothing yet.
        block_members: Members of a block.

    Attributes:
        size: Characters and bytes of the packets that somebody lacks.
    """

    __slots__ = ("_block_members", "_first", "_packets", "_ring", "size")

    def __init__(
        self, members: Mapping[str, str], block_members: int = BLOCK_MEMBERS
    ) -> None:
        self._block_members = block_members
        # Packets that somebody lacks, each with the sids that do not get it, and the
        # number of the first of them.
        self._packets: deque[tuple[Packet, Collection[str]]] = deque()
        self._first = 0
        self._ring: deque[_Block] = deque()
        self.size = 0
        rest = iter(members.items())
        while block := dict(islice(rest, block_members)):
            self._ring.append(_Block(block, 0))

    @property
    def is_done(self) -> bool:
        """Whether nobody lacks anything."""
        return not self._packets

    def publish(
        self, packets: Iterable[Packet], skip: Collection[str] = _NOBODY
    ) -> None:
        """Add packets for those who are in the room now.

        Args:
            packets: In their order.
            skip: sids that do not get them.
        """
        if not self._ring:
            return
        skip = frozenset(skip) if skip else _NOBODY
        for packet in packets:
            self._packets.append((packet, skip))
            self.size += len(packet)

    def enter(self, sid: str, address: str) -> None:
        """Add a member, who gets what is published from now on."""
        self._append(_Block({sid: address}, self._end))

    def leave(self, sid: str) -> list[Share]:
        """Take a member out.

        Returns:
            What they lack, to be written to them before they are gone, or not.
        """
        for block in self._ring:
            if sid in block.members:
                own = _Block({sid: block.members.pop(sid)}, block.next)
                shares = self._shares(own)
                if not block.members:
                    self._ring.remove(block)
                self._forget()
                return shares
        return []

    def take(self) -> list[Share]:
        """Return what to write to those who lag most, and count it as written."""
        if self.is_done:
            return []
        block = self._ring.popleft()
        shares = self._shares(block)
        block.next = self._end
        self._append(block)
        self._forget()
        return shares

    @property
    def _end(self) -> int:
        """Number of the packet that is published next."""
        return self._first + len(self._packets)

    def _shares(self, block: _Block) -> list[Share]:
        lacking = list(islice(self._packets, block.next - self._first, None))
        if not lacking:
            return []
        skipped: set[str] = set()
        for _, skip in lacking:
            if skip:
                skipped.update(block.members.keys() & skip)
        packets = [packet for packet, _ in lacking]
        if not skipped:
            return [(block.members.values(), packets)]
        others = [each for sid, each in block.members.items() if sid not in skipped]
        shares: list[Share] = [(others, packets)]
        for sid in skipped:
            own = [packet for packet, skip in lacking if sid not in skip]
            shares.append(((block.members[sid],), own))
        return [(addresses, packets) for addresses, packets in shares if packets]

    def _append(self, block: _Block) -> None:
        """Put a block that has had everything at the ring's end, joined if it fits."""
        last = self._ring[-1] if self._ring else None
        if (
            last is not None
            and last.next == block.next
            and len(last.members) + len(block.members) <= 2 * self._block_members
        ):
            last.members.update(block.members)
        else:
            self._ring.append(block)

    def _forget(self) -> None:
        """Drop the packets that nobody lacks any more."""
        oldest = self._ring[0].next if self._ring else self._end
        while self._first < oldest:
            packet, _ = self._packets.popleft()
            self.size -= len(packet)
            self._first += 1
