"""Awaiting several things that are under way already, without a task for each."""

from collections.abc import Awaitable, Coroutine
from typing import Any


async def in_turn(*started: Awaitable[Any]) -> list[Any]:
    """Await each in turn and return their results, as ``asyncio.gather`` does.

    For calls to Redis that were all sent when they were made: their answers come in
    order, and a task for each would cost more than the call.

    Raises:
        Exception: The first failure, after all have been awaited.
    """
    results: list[Any] = []
    failure: Exception | None = None
    waiting = list(started)
    try:
        while waiting:
            try:
                results.append(await waiting.pop(0))
            except Exception as error:  # noqa: BLE001 - raised below
                failure = failure or error
    finally:
        # Left only when this is cancelled.
        for each in waiting:
            if isinstance(each, Coroutine):
                each.close()
    if failure is not None:
        raise failure
    return results
