"""Deadlines of many items on one timer."""

import asyncio
from typing import Any

import pytest

from realtime.engineio.timers import TimeoutQueue, Timers
from tests.kit.waiting import MS, wait_until


async def test_items_are_due_in_their_order_and_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First in, first due; one that is taken out is not due. Then the loop sleeps."""
    loop = asyncio.get_running_loop()
    call_at, handles = loop.call_at, list[asyncio.TimerHandle]()

    def noted(*arguments: Any, **keywords: Any) -> asyncio.TimerHandle:
        handles.append(call_at(*arguments, **keywords))
        return handles[-1]

    monkeypatch.setattr(loop, "call_at", noted)
    due: list[str] = []
    timers = Timers()
    lane: TimeoutQueue[str] = TimeoutQueue(
        timers, 20 * MS, lambda item, _due: due.append(item)
    )
    for item in ("a", "b", "c"):
        lane.add(item)
    assert lane.discard("b")
    assert not lane.discard("b")
    await wait_until(lambda: len(lane) == 0, "all are due")
    assert due == ["a", "c"]
    monkeypatch.undo()
    assert handles
    assert all(each.cancelled() or each.when() <= loop.time() for each in handles)


async def test_an_item_that_is_added_again_starts_anew() -> None:
    """It is due once, at the later time."""
    due: list[str] = []
    timers = Timers()
    lane: TimeoutQueue[str] = TimeoutQueue(
        timers, 30 * MS, lambda item, _due: due.append(item)
    )
    lane.add("a")
    lane.add("b")
    lane.add("a")
    await wait_until(lambda: len(due) == 2, "both are due")
    assert due == ["b", "a"]


async def test_lanes_with_other_times() -> None:
    """A shorter lane is not held up by a longer one that was there before."""
    due: list[str] = []
    timers = Timers()
    slow: TimeoutQueue[str] = TimeoutQueue(
        timers, 10_000, lambda item, _due: due.append(item)
    )
    fast: TimeoutQueue[str] = TimeoutQueue(
        timers, 10 * MS, lambda item, _due: due.append(item)
    )
    slow.add("slow")
    fast.add("fast")
    await wait_until(lambda: due == ["fast"], "the fast one is due")
    timers.close()


async def test_a_failing_deadline_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged once, and the next is due as usual."""
    due: list[str] = []

    def on_due(item: str, _due: float) -> None:
        if item == "bad":
            raise RuntimeError(item)
        due.append(item)

    timers = Timers()
    lane: TimeoutQueue[str] = TimeoutQueue(timers, 0, on_due)
    lane.add("bad")
    lane.add("good")
    await wait_until(lambda: due, "the good one is due")
    assert len(caplog.records) == 1


async def test_thousands_that_are_due_at_once_let_the_loop_run() -> None:
    """Between two chunks other work has its turn."""
    due: list[int] = []
    turns: list[int] = []
    timers = Timers()
    lane: TimeoutQueue[int] = TimeoutQueue(
        timers, 0, lambda item, _due: due.append(item)
    )
    for item in range(2_000):
        lane.add(item)

    def look() -> None:
        turns.append(len(due))
        if len(due) < 2_000:
            asyncio.get_running_loop().call_soon(look)

    look()
    await wait_until(lambda: len(due) == 2_000, "all are due")
    assert len(set(turns)) >= 10
