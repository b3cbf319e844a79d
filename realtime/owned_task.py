"""How an owner ends its task."""

import asyncio


async def end_task(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and return when it has ended; None is no task.

    What the task raised at its end is its own: it has logged it, or it was cancelled.
    """
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
