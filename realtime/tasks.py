"""How an owner ends its task, and how a task does not miss it."""

import asyncio


async def end_task(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and return when it has ended; None is no task.

    What the task raised at its end is its own: it has logged it, or it was cancelled.
    """
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def heed_cancellation() -> None:
    """Raise the cancellation of this task that redis-py swallowed, if it did.

    When it is cancelled in the middle of a handshake it goes on, to success or to a
    failure of its own; without this a node that connects could not be shut down.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
