"""The tasks in which handlers run, owned by the server from start to end."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class HandlerTasks:
    """Keeps the tasks that run, so that none is lost and shutdown can wait for them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a task."""
        task = self.spawn_self_discarding(work)
        task.add_done_callback(self._tasks.discard)
        return task

    def spawn_self_discarding(
        self, work: Coroutine[Any, Any, Any]
    ) -> asyncio.Task[Any]:
        """As :meth:`spawn`, for work whose last step calls :meth:`discard_current`.

        That saves a callback, and its turn in the event loop, for each message.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        return task

    def discard_current(self) -> None:
        """Let go of the task that is running."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.discard(task)

    async def finish(self, deadline: float) -> None:
        """Wait for the tasks until ``deadline``, loop time; cancel those that hang."""
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        if not tasks:
            return
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        _done, late = await asyncio.wait(tasks, timeout=left)
        for task in late:
            task.cancel()
