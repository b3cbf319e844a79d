"""Running a part of a node by itself."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from realtime.tasks import TaskStack


@asynccontextmanager
async def running(*runs: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run coroutines until the block ends; a failure of one fails the test."""
    async with TaskStack() as tasks:
        for run in runs:
            tasks.start(run, "a part")
        # A task that is cancelled before its first step has no end of its own.
        await asyncio.sleep(0)
        yield
    assert not tasks.failed
