"""The event loop's lag: a blocked loop shows in ``/metrics``, a stopped process not."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime.node import loop_lag
from realtime.node.loop_lag import BUCKETS, LoopLag
from tests.kit.metrics import scrape
from tests.kit.nodes import run_process
from tests.kit.waiting import MS, wait_until

BLOCK_SECONDS = 300 * MS
STOP_SECONDS = 1_500 * MS
PROBES = 'chatroom_loop_lag_seconds_bucket{le="+Inf"}'


async def test_a_blocked_loop_is_noticed() -> None:
    """It counts as all the probes that could not be made meanwhile."""
    lag = LoopLag()
    lag.start()
    try:
        await wait_until(lambda: sum(lag.counts) > 0, "the loop is probed")
        time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251 - this blocks the loop, on purpose
        await wait_until(lambda: lag.worst_seconds > 0.8 * BLOCK_SECONDS, "it is seen")
    finally:
        lag.close()
    late = sum(
        count
        for bound, count in zip(BUCKETS, lag.counts, strict=False)
        if bound > BLOCK_SECONDS / 3
    )
    assert late > 5


async def test_a_stop_while_a_probe_is_planned_is_none_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process is stopped, and goes on, in a call of the system in between."""
    lag = LoopLag()
    stops = iter([True])

    def stopped() -> float:
        if next(stops, False):
            time.sleep(BLOCK_SECONDS)
            lag.discard()
        return 0.0

    monkeypatch.setattr(loop_lag, "time", SimpleNamespace(thread_time=stopped))
    lag.start()
    try:
        await wait_until(lambda: sum(lag.counts) > 0, "the loop is probed")
    finally:
        lag.close()
    assert lag.worst_seconds < 0.8 * BLOCK_SECONDS


async def test_a_stopped_process_has_not_blocked_its_loop(redis_url: str) -> None:
    """SIGSTOP and SIGCONT leave no mark, however long it was stopped."""
    async with run_process("--redis-url", redis_url) as node:
        _, before = await scrape(node.url)
        node.pause()
        await wait_until(lambda: _state(node.process.pid) == "T", "it is stopped")
        stopped_at = time.monotonic()
        await wait_until(
            lambda: time.monotonic() > stopped_at + STOP_SECONDS, "it was for long"
        )
        node.resume()

        async def probed() -> bool:
            _, now = await scrape(node.url)
            return now[PROBES] > before[PROBES] + 5

        await wait_until(probed, "it is probed again")
        # Counted, it would be as long as the stop; the machine may be slow besides.
        _, now = await scrape(node.url)
        assert now["chatroom_loop_lag_worst_seconds"] < 0.9 * STOP_SECONDS


def _state(pid: int) -> str:
    """Return a process's state letter; its name, before it, may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
