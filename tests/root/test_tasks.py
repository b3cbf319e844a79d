"""Owners of tasks: what is started is ended, in order, and a failure is told."""

import asyncio

import pytest

from realtime.tasks import TaskStack, gather_started
from tests.kit.waiting import wait_until


async def test_tasks_are_ended_the_last_one_first() -> None:
    """A part can use those that were started before it until its own end."""
    ended: list[str] = []

    async def part(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async with TaskStack() as tasks:
        for name in ("first", "second", "third"):
            tasks.start(part(name), name)
        await asyncio.sleep(0)
    assert ended == ["third", "second", "first"]
    assert tasks.failed == []


async def test_a_task_that_fails_is_named_and_one_that_returns_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The node says that it is not ready; what has nothing to do is no failure."""

    async def fails() -> None:
        raise RuntimeError("a bug")

    async def returns() -> None:
        pass

    async with TaskStack() as tasks:
        tasks.start(returns(), "idle")
        tasks.start(fails(), "broken")
        await wait_until(lambda: tasks.failed, "the failure is noticed")
    assert tasks.failed == ["broken"]
    assert "a bug" in caplog.text


async def test_calls_that_nobody_waits_for_any_more_are_closed() -> None:
    """Who is cancelled while calls are under way leaves no coroutine unawaited."""
    reached: list[int] = []

    async def call(number: int) -> int:
        reached.append(number)
        await asyncio.Event().wait()
        return number

    waiting = asyncio.ensure_future(gather_started(call(1), call(2)))
    await wait_until(lambda: reached, "the first is awaited")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert reached == [1]


async def test_the_first_failure_is_told_after_all_have_ended() -> None:
    """So that nothing is under way any more that its caller knows nothing of."""
    ended: list[int] = []

    async def call(number: int) -> int:
        ended.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        await gather_started(call(1), call(2))
    assert ended == [1, 2]
