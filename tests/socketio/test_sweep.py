"""The sweep against the plain definition: from their number on, all, once, in order.

Whatever happens in between (entering, leaving, being left out, a server that stalls and
goes on), a session gets what was sent to a room while it was in it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.socketio.fan_out import FanOut
from realtime.socketio.sweep import Packet, Sweep

# Small, so that a few members are many blocks.
BLOCK = 2
SIDS = tuple("abcdefg")
ROOMS = ("one", "two")

rooms = st.sampled_from(ROOMS)
sids = st.sampled_from(SIDS)
some_sids = st.sets(sids)
counts = st.integers(1, 3)


class Rooms(RuleBasedStateMachine):
    """Two rooms, and beside them what each of their sessions is to get."""

    def __init__(self) -> None:
        super().__init__()
        self.fan_out = FanOut(self.write, block_members=BLOCK)
        self.members: dict[str, dict[str, str]] = {room: {} for room in ROOMS}
        # What each address is to get by the definition, and what it got.
        self.due: dict[str, list[Packet]] = {}
        self.got: dict[str, list[Packet]] = {}
        self.sent = 0
        self.writes: Counter[str] = Counter()

    def write(self, addresses: Iterable[str], packets: Sequence[Packet]) -> None:
        """Take what is written, as the engine does."""
        assert packets
        for address in addresses:
            self.got[address] += packets
            self.writes[address] += 1

    @rule(room=rooms, sid=sids)
    def enter(self, room: str, sid: str) -> None:
        """Somebody comes, or comes back; repeating it does nothing."""
        if sid in self.members[room]:
            return
        address = f"{room}-{sid}"
        self.members[room][sid] = address
        self.due.setdefault(address, [])
        self.got.setdefault(address, [])
        self.fan_out.enter(room, sid, address)

    @rule(room=rooms, coming=some_sids)
    def enter_together(self, room: str, coming: set[str]) -> None:
        """Many come, so that rooms are larger than a block."""
        for sid in sorted(coming):
            self.enter(room, sid)

    @rule(room=rooms, count=counts, skip=st.one_of(st.just(set()), some_sids))
    def send(self, room: str, count: int, skip: set[str]) -> None:
        """Packets are sent to a room, to some of its sessions not."""
        packets = [f"{self.sent + number} to {room}" for number in range(count)]
        self.sent += count
        for sid, address in self.members[room].items():
            if sid not in skip:
                self.due[address] += packets
        if self.members[room]:
            self.fan_out.send(room, self.members[room], packets, skip)

    @rule(room=rooms, sid=sids, last=st.booleans())
    def leave(self, room: str, sid: str, last: bool) -> None:
        """Somebody goes: with what they lack, or their connection has ended."""
        if sid not in self.members[room]:
            return
        address = self.members[room].pop(sid)
        self.fan_out.leave(room, sid, last=last)
        if not last:
            # The rest does not reach them any more, whatever follows.
            assert self.is_beginning(address)
            self.due[address] = list(self.got[address])
        assert self.got[address] == self.due[address]

    @precondition(lambda self: not self.fan_out.is_idle)
    @rule(blocks=counts)
    def serve(self, blocks: int) -> None:
        """The server gets to writing, a block at a time."""
        for _ in range(blocks):
            self.fan_out.serve(0.0)

    @rule()
    def catch_up(self) -> None:
        """The server has the time to write everything: one write each, at most."""
        self.writes.clear()
        while not self.fan_out.is_idle:
            self.fan_out.serve(0.0)
        assert self.got == self.due
        assert set(self.writes.values()) <= {1}

    def is_beginning(self, address: str) -> bool:
        """Whether what a session got is what it was to get first."""
        got = self.got[address]
        return got == self.due[address][: len(got)]

    @invariant()
    def nothing_comes_twice_or_out_of_order(self) -> None:
        """At any moment."""
        assert all(map(self.is_beginning, self.due))

    @invariant()
    def what_waits_is_counted(self) -> None:
        """Of each room, what the session needs that lags most, and no more."""
        waiting = 0
        for room, members in self.members.items():
            lacking = {
                packet
                for address in members.values()
                for packet in self.due[address][len(self.got[address]) :]
            }
            size = self.fan_out.waiting_for(room)
            assert sum(map(len, lacking)) <= size
            waiting += size
        assert self.fan_out.waiting_bytes == waiting
        assert not (self.fan_out.is_idle and waiting)

    def teardown(self) -> None:
        """In the end everybody has everything."""
        self.catch_up()


TestRooms = Rooms.TestCase
TestRooms.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def members(count: int) -> dict[str, str]:
    """Return sid → address."""
    return {f"s{number}": f"a{number}" for number in range(count)}


def taken(sweep: Sweep) -> list[tuple[list[str], list[Packet]]]:
    """Return what is to be written next, as lists."""
    return [(list(addresses), list(packets)) for addresses, packets in sweep.take()]


def test_what_comes_meanwhile_goes_out_in_the_same_write() -> None:
    """Those further on get both at once; those who had the first, the other alone."""
    sweep = Sweep(members(4), BLOCK)
    sweep.publish(["x"])
    assert taken(sweep) == [(["a0", "a1"], ["x"])]
    sweep.publish(["y"])
    assert taken(sweep) == [(["a2", "a3"], ["x", "y"])]
    assert taken(sweep) == [(["a0", "a1"], ["y"])]
    assert sweep.is_done
    assert taken(sweep) == []


def test_packets_are_dropped_with_the_last_one_who_lacks_them() -> None:
    """Memory follows who lags most, and nobody who has gone."""
    sweep = Sweep(members(4), BLOCK)
    sweep.publish(["12345"])
    sweep.take()
    assert sweep.size == 5
    sweep.leave("s2")
    assert sweep.size == 5
    assert list(sweep.leave("s3")[0][1]) == ["12345"]
    assert (sweep.size, sweep.is_done) == (0, True)


def test_coming_and_going_leaves_no_small_blocks() -> None:
    """Else a room that is never at rest would cost more and more."""
    sweep = Sweep(members(100), 10)
    for number in range(1_000):
        sweep.publish(["x"])
        sweep.leave(f"s{number}")
        sweep.enter(f"s{100 + number}", "new")
        sweep.take()
        sweep.take()
    steps = 0
    while not sweep.is_done:
        sweep.take()
        steps += 1
    assert steps <= 20


def test_a_room_of_100_000_is_served_in_blocks() -> None:
    """One that leaves does not cost what all others do."""
    everybody: dict[str, Any] = members(100_000)
    sweep = Sweep(everybody)
    sweep.publish(["x"])
    served = 0
    while not sweep.is_done:
        for addresses, _ in taken(sweep):
            served += len(addresses)
    assert served == len(everybody)
