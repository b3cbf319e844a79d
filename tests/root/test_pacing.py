"""The turnstile: a few in each turn of the loop, all of them in the end, in order."""

import asyncio
from typing import Any

import pytest

from realtime.pacing import Turnstile
from tests.kit.waiting import MS


async def next_turn() -> None:
    """Let everything that is due happen once."""
    await asyncio.sleep(0)


async def test_a_crowd_passes_a_few_at_a_time_and_in_order() -> None:
    """However many come at once, no turn of the loop is long for it."""
    turns, begun = Turnstile(2), list[int]()

    async def come(number: int) -> None:
        await turns.enter()
        begun.append(number)

    tasks = [asyncio.create_task(come(number)) for number in range(9)]
    seen = []
    while len(begun) < len(tasks):
        await next_turn()
        seen.append(len(begun))
    assert begun == list(range(9))
    assert max(b - a for a, b in zip([0, *seen], seen, strict=False)) <= 2
    await asyncio.gather(*tasks)
    await next_turn()
    assert len(turns) == 0


async def test_who_comes_late_does_not_get_ahead_of_those_being_let_in() -> None:
    """Requests of one connection begin in its order, whenever they arrive."""
    turns, begun = Turnstile(2), list[int]()

    async def come(number: int) -> None:
        if not turns.try_enter():
            await turns.enter()
        begun.append(number)

    tasks = []
    for number in range(60):
        tasks.append(asyncio.create_task(come(number)))
        # Now and then time passes, so that some find the queue just emptied.
        for _ in range(number % 5 // 2):
            await next_turn()
    await asyncio.gather(*tasks)
    assert begun == list(range(60))


async def test_one_does_not_wait_behind_the_crowd_of_another() -> None:
    """A user who asks for a thousand things at once waits for themself only."""
    turns = Turnstile(2)
    crowd = [asyncio.create_task(turns.enter("mallory")) for _ in range(1000)]
    await next_turn()
    assert not turns.try_enter("mallory")
    assert turns.try_enter("ann")
    assert turns.try_enter("ann")
    assert not turns.try_enter("ann")
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_whoever_gives_up_takes_no_place() -> None:
    """A connection that ends while it waits does not hold up the next one."""
    turns = Turnstile(1)
    assert turns.try_enter()
    waiting = [asyncio.create_task(turns.enter()) for _ in range(3)]
    await next_turn()
    waiting[0].cancel()
    async with asyncio.timeout(5_000 * MS):
        await asyncio.gather(*waiting[1:])


async def test_nothing_turns_when_nobody_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An idle server sleeps."""
    turns = Turnstile(1)
    await turns.enter()
    await turns.enter()
    for _ in range(3):
        await next_turn()
    loop = asyncio.get_running_loop()
    call_soon, called = loop.call_soon, list[object]()

    def counted(callback: Any, *arguments: Any, **keywords: Any) -> asyncio.Handle:
        called.append(callback)
        return call_soon(callback, *arguments, **keywords)

    monkeypatch.setattr(loop, "call_soon", counted)
    for _ in range(3):
        await next_turn()
    # Each of the test's own turns is one.
    assert len(called) <= 3, called
