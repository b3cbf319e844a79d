"""Waiting in tests: for a condition and with a deadline, never for a while."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable

# A slow machine, or one that measures coverage, stretches every time of the suite.
MS_SCALE = float(os.environ.get("TEST_MS_SCALE", "1"))
# The one unit of them all, in seconds.
MS = 0.001 * MS_SCALE
# Long enough for a busy machine; a condition that holds returns at once.
DEADLINE_SECONDS = 10_000 * MS
# Between two looks: short enough not to be felt, long enough not to busy the loop.
LOOK_SECONDS = 10 * MS

Condition = Callable[[], object] | Callable[[], Awaitable[object]]


async def wait_until(
    condition: Condition, description: str, *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Return as soon as ``condition()`` is true.

    Args:
        condition: A function, or a coroutine function. What it raises is the test's.
        description: What is waited for, for the failure's text.
        seconds: The deadline.

    Raises:
        AssertionError: at the deadline.
    """
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            while not await _holds(condition):
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        if not deadline.expired():
            raise
        raise AssertionError(f"not within {seconds:g} s: {description}") from None


def wait_until_sync(
    condition: Callable[[], object],
    description: str,
    *,
    seconds: float = DEADLINE_SECONDS,
) -> None:
    """Do what :func:`wait_until` does where no event loop runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds:g} s: {description}"
        time.sleep(LOOK_SECONDS)


async def _holds(condition: Condition) -> bool:
    result = condition()
    return bool(await result if inspect.isawaitable(result) else result)
