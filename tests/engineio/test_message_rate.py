"""The pace of a connection: how many messages are read, by time."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.engineio.message_rate import LUMP_SECONDS, MessageAllowance

RATE = (100.0, 300)


def read(pace: MessageAllowance, now: float, wanted: int) -> tuple[int, float]:
    """Read as a connection does; return how many were read until it has to wait."""
    for number in range(wanted):
        pace.left -= 1
        if pace.left < 0:
            wait = pace.refill(now)
            if wait > 0:
                return number + 1, wait
    return wanted, 0.0


@given(st.lists(st.tuples(st.integers(0, 500), st.floats(0, 3)), max_size=40))
def test_no_more_is_read_than_the_rate_allows(calls: list[tuple[int, float]]) -> None:
    """In the long run the rate holds, however the messages come."""
    pace, now, total, waits = MessageAllowance(RATE), 0.0, 0, 0
    for wanted, pause in calls:
        count, wait = read(pace, now, wanted)
        total += count
        waits += wait > 0
        now += max(pause, wait)
    per_second, burst = RATE
    # The message that finds nothing left is read; so is a lump for each wait.
    slack = waits * (1 + per_second * LUMP_SECONDS)
    assert total <= 2 * burst + per_second * now + slack


def test_who_goes_on_and_on_is_read_at_the_rate() -> None:
    """A flood gets what the rate says, after the first burst."""
    pace, now, total = MessageAllowance(RATE), 0.0, 0
    while now < 20:
        count, wait = read(pace, now, 10_000)
        total += count
        now += wait
    assert total <= RATE[1] + 1.3 * RATE[0] * now


def test_who_keeps_to_the_rate_waits_no_longer_than_a_moment() -> None:
    """The clock is looked at rarely, so a wait now and then is of no consequence."""
    pace, now, waited = MessageAllowance(RATE), 0.0, 0.0
    for _ in range(100):
        _, wait = read(pace, now, 50)
        waited += wait
        now += 0.6
    assert waited <= 2 * LUMP_SECONDS


def test_without_a_rate_nobody_waits() -> None:
    """The engine alone, as python-socketio's own, knows no such limit."""
    assert read(MessageAllowance(None), 0.0, 100_000) == (100_000, 0.0)
