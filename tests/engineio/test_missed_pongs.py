"""Whose pong may be late: what the heartbeat makes of what is on its way."""

from collections.abc import Sequence

import pytest

from realtime.engineio.heartbeat import Heartbeat
from realtime.engineio.timers import Timers
from tests.kit.waiting import MS, wait_until


class Silent:
    """A session that answers no ping; each look at what is unsent finds the next.

    Args:
        heartbeat: Its heartbeat.
        unsent: What is found; nothing once the looks are used up.
    """

    is_pong_delayed = False

    def __init__(self, heartbeat: Heartbeat, unsent: Sequence[int]) -> None:
        self._heartbeat = heartbeat
        self._left = list(unsent)
        self.is_over = False

    @property
    def unsent_bytes(self) -> int:
        """Bytes on their way to the client."""
        return self._left.pop(0) if self._left else 0

    @property
    def has_read_all(self) -> bool:
        """Whether nothing is unsent any more."""
        return not self._left

    def ping(self) -> None:
        """Say nothing."""

    def time_out(self) -> None:
        """End, as sessions do."""
        self._heartbeat.stop(self)
        self.is_over = True


async def ended(unsent: Sequence[int]) -> Silent:
    """Return a session that was pinged once and then waited for, to its end."""
    heartbeat = Heartbeat(Timers(), interval=10 * MS, timeout=10 * MS)
    session = Silent(heartbeat, unsent)
    heartbeat.start(session)
    await wait_until(lambda: session.is_over, "its time is over")
    assert not heartbeat.unsent_bytes
    return session


async def test_who_reads_a_long_answer_is_waited_for() -> None:
    """The ping is behind it; once all is read the pong is due as ever."""
    assert (await ended(range(100_000, 0, -1_000))).has_read_all


@pytest.mark.parametrize("unsent", [[100] * 50, range(100, 150)])
async def test_who_reads_nothing_is_not(unsent: Sequence[int]) -> None:
    """A client that is gone reads nothing, whatever is written to it."""
    assert not (await ended(unsent)).has_read_all
