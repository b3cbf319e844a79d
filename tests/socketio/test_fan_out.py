"""Fan-out: everybody gets everything, in order, and nobody waits for a large room."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest

from realtime.socketio.fan_out import ROOM_BYTES, FanOut
from realtime.socketio.sweep import BLOCK_MEMBERS, Packet
from tests.kit.running import running
from tests.kit.waiting import wait_until

LARGE = BLOCK_MEMBERS * 3 + 10


class Recorder:
    """Takes what is written, as the server would."""

    def __init__(self) -> None:
        self.got: dict[str, list[Packet]] = defaultdict(list)
        self.writes = 0
        self.failing = False

    def write(self, addresses: Iterable[str], packets: Sequence[Packet]) -> None:
        """Note each packet for each session."""
        self.writes += 1
        if self.failing:
            raise RuntimeError("a defect below")
        for address in addresses:
            self.got[address] += packets


@pytest.fixture
def recorder() -> Recorder:
    """What came out."""
    return Recorder()


@pytest.fixture
async def fan_out(recorder: Recorder) -> AsyncIterator[FanOut]:
    """A fan-out that ends with the test, and serves a block in a turn of the loop."""
    made = FanOut(recorder.write, chunk_seconds=0)
    async with running(made.run()):
        yield made


def sessions(count: int) -> dict[str, str]:
    """Return sid → address of a room's sessions."""
    return {f"s{number}": f"a{number}" for number in range(count)}


async def test_a_small_room_is_served_at_once(
    fan_out: FanOut, recorder: Recorder
) -> None:
    """Within the call, in one write."""
    fan_out.send("room", sessions(3), ["1", "2"])
    assert recorder.got == {"a0": ["1", "2"], "a1": ["1", "2"], "a2": ["1", "2"]}
    assert recorder.writes == 1


async def test_a_large_room_gets_everything_in_order(
    fan_out: FanOut, recorder: Recorder
) -> None:
    """Later packets wait behind the earlier ones, and leave in the same write."""
    for packet in "abc":
        fan_out.send("room", sessions(LARGE), [packet])
    assert fan_out.waiting_bytes == 3
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert set(map(tuple, recorder.got.values())) == {("a", "b", "c")}
    assert len(recorder.got) == LARGE
    assert recorder.writes == 4


async def test_what_waits_is_measured_against_its_bounds(
    fan_out: FanOut, recorder: Recorder
) -> None:
    """A room's own, and that of all large rooms of the node, in bytes."""
    half = "x" * (ROOM_BYTES // 2)
    fan_out.send("one", sessions(LARGE), [half])
    assert fan_out.backlog("one") == 1 / 2
    for number in range(31):
        fan_out.send(number, sessions(LARGE), [half])
    assert fan_out.backlog("one") == 1
    assert fan_out.backlog("at rest") == 0
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert fan_out.backlog("one") == 0


async def test_the_loop_runs_between_two_chunks(
    fan_out: FanOut, recorder: Recorder
) -> None:
    """Acks and other rooms do not wait until a large room is served."""
    fan_out.send("large", sessions(LARGE), ["x"])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(recorder.got) < LARGE
    fan_out.send("small", {"t": "other"}, ["y"])
    assert recorder.got["other"] == ["y"]
    await wait_until(lambda: fan_out.is_idle, "all is written")


async def test_two_large_rooms_take_turns(fan_out: FanOut, recorder: Recorder) -> None:
    """Neither waits until the other one is done."""
    fan_out.send("one", {f"{s}1": f"{a}-1" for s, a in sessions(LARGE).items()}, ["x"])
    fan_out.send("two", {f"{s}2": f"{a}-2" for s, a in sessions(LARGE).items()}, ["x"])
    await wait_until(lambda: recorder.writes >= 2, "two chunks are written")
    assert {address[-2:] for address in recorder.got} == {"-1", "-2"}
    await wait_until(lambda: fan_out.is_idle, "all is written")


@pytest.mark.parametrize("last", [True, False])
async def test_who_leaves_gets_what_waits_at_once_or_never(
    fan_out: FanOut, recorder: Recorder, last: bool
) -> None:
    """After ``leave`` no event of the room comes, however many were under way."""
    members = sessions(LARGE)
    fan_out.send("room", members, ["x"])
    fan_out.send("room", members, ["y"])
    fan_out.leave("room", "s7", last=last)
    assert recorder.got.pop("a7", []) == (["x", "y"] if last else [])
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert "a7" not in recorder.got
    assert len(recorder.got) == LARGE - 1


async def test_who_enters_is_not_served_what_was_handed_over_before(
    fan_out: FanOut, recorder: Recorder
) -> None:
    """The ack of a join holds those events already: they must not come twice."""
    members = sessions(LARGE)
    fan_out.send("room", members, ["old"])
    fan_out.leave("room", "s7")
    fan_out.enter("room", "s7", "a7")
    members["new"] = "a-new"
    fan_out.enter("room", "new", "a-new")
    fan_out.send("room", members, ["live"])
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert recorder.got["a-new"] == ["live"]
    assert recorder.got["a7"] == ["live"]
    assert recorder.got["a8"] == ["old", "live"]


@pytest.mark.parametrize("count", [3, LARGE])
async def test_sessions_may_be_left_out(
    fan_out: FanOut, recorder: Recorder, count: int
) -> None:
    """``skip_sid`` of the stock API."""
    fan_out.send("room", sessions(count), ["x"], skip=["s1", "nobody"])
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert "a1" not in recorder.got
    assert len(recorder.got) == count - 1


async def test_a_defect_below_does_not_end_the_fan_out(
    fan_out: FanOut, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """One chunk's failure is logged; the next large room is served all the same."""
    recorder.failing = True
    fan_out.send("room", sessions(LARGE), ["x"])
    await wait_until(lambda: fan_out.is_idle, "the sweep is over")
    recorder.failing = False
    fan_out.send("room", sessions(LARGE), ["y"])
    await wait_until(lambda: fan_out.is_idle, "all is written")
    assert len(recorder.got) == LARGE
    assert "a defect below" in caplog.text
