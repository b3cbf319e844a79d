"""Tasks and their owners: started in order, ended in the opposite one."""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Self

_logger = logging.getLogger(__name__)


class TaskStack:
    """Owns the long-running tasks of a process, as ``asyncio.TaskGroup`` does.

    Unlike a group it ends them one after the other, the last one first: a part may
    still use those that were started before it while it ends. It may also be entered
    and left in different tasks, as aiohttp's ``cleanup_ctx`` does.

    Attributes:
        failed: Names of the tasks that failed; each is logged with its traceback. One
            that returns has nothing to do, and is none of them.
    """

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self.failed: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    def start(self, run: Coroutine[Any, Any, None], name: str) -> None:
        """Run a coroutine that ends when it is cancelled."""
        task = asyncio.create_task(run, name=name)
        task.add_done_callback(self._done)
        self._tasks.append(task)

    async def aclose(self) -> None:
        """Cancel all tasks in turn, and return when the last one has ended."""
        while self._tasks:
            await end_task(self._tasks.pop())

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.failed.append(task.get_name())
            _logger.critical("Task %s has failed", task.get_name(), exc_info=error)


async def end_task(task: asyncio.Task[Any] | None) -> None:
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


async def gather_started(*started: Awaitable[Any]) -> list[Any]:
    """Await what is under way already, and return the results in order.

    ``asyncio.gather`` without a task for each: the calls to Redis were all sent when
    they were made, their answers come in order, and a task would cost more than a call.

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
