"""Asks several servers the same at once: one that hangs holds nobody up."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

_Answer = TypeVar("_Answer")

# Time for the others once one has answered: they answer within milliseconds, and one
# that was cut off may tell of the past.
GRACE_SECONDS: Final = 0.2


async def answers(
    asking: Iterable[Coroutine[Any, Any, _Answer | None]], name: str
) -> list[_Answer]:
    """Return what is answered until some time after the first; what is late is let go.

    Args:
        asking: Each asks one server, and returns None where that does not answer.
        name: Of the tasks.
    """
    asked = [asyncio.create_task(each, name=name) for each in asking]
    found: list[_Answer] = []
    try:
        waiting = set(asked)
        while waiting:
            done, waiting = await asyncio.wait(
                waiting,
                timeout=GRACE_SECONDS if found else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                break
            found += [answer for task in done if (answer := task.result())]
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    return found
