"""Runs the jobs that this node gets hold of, a few at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from realtime.errors import ChatError, OutcomeUnknownError, UnavailableError
from realtime.jobs.running import FailedError, LostError, RunningJob
from realtime.redis.connection import ReplyError
from realtime.store.jobs import Jobs

# Jobs under way at a node: each waits for Redis most of the time.
AT_ONCE: Final = 2

# Between two looks for jobs that wait.
LOOK_SECONDS: Final = 2.0

# A job that fails so often will not be done by trying again.
TRIES: Final = 5

# For a node that goes to give a job back.
RELEASE_SECONDS: Final = 1.0

# Does what a kind of jobs is about, from where it was left.
Work = Callable[[RunningJob], Awaitable[None]]

_logger = logging.getLogger(__name__)


class JobRunner:
    """Takes jobs and runs them.

    Args:
        jobs: Where they are kept.
        kinds: What is done, by kind.
    """

    def __init__(self, jobs: Jobs, kinds: Mapping[str, Work]) -> None:
        self._jobs = jobs
        self._kinds = kinds
        self._running: set[str] = set()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._running)

    def look(self) -> None:
        """Look now: there is a new job."""
        self._wake.set()

    async def run(self) -> None:
        """Run jobs until cancelled; those under way are others' then."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                try:
                    free = AT_ONCE - len(self._running)
                    for job, score in (await self._take(free)).items():
                        self._running.add(job)
                        tasks.create_task(self._run(job, score), name=f"job-{job}")
                except ChatError as error:
                    _logger.debug("Jobs could not be looked for: %s", error.message)
                except ReplyError as error:
                    # The nodes' Redis user may not touch these keys.
                    _logger.error("Jobs cannot be looked for: %s", error)
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _take(self, free: int) -> dict[str, str]:
        return await self._jobs.take(free) if free > 0 else {}

    async def _run(self, job: str, score: str) -> None:
        try:
            await self._run_taken(job, score)
        except LostError:
            _logger.info("Job %s is another node's, or was deleted", job)
        except ChatError as error:
            # It is due again when its lease ends.
            _logger.warning("Job %s was left: %s", job, error.message)
        except Exception:
            _logger.exception("Job %s cannot be run", job)
        finally:
            self._running.discard(job)
            self._wake.set()

    async def _run_taken(self, job: str, score: str) -> None:
        state = await self._jobs.find(job)
        work = None if state is None else self._kinds.get(state.kind)
        if state is None or work is None:
            await self._jobs.delete(job)
            return
        running = RunningJob(self._jobs, state, score)
        try:
            await running.reached(at_once=True, **running.place)
            await work(running)
            await running.end()
        except (LostError, UnavailableError, OutcomeUnknownError):
            raise
        except asyncio.CancelledError:
            with suppress(ChatError, TimeoutError):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await running.give_back(failed=False)
            raise
        except FailedError as error:
            await running.fail(str(error))
        except Exception:
            _logger.exception("Job %s failed", job)
            if state.tries + 1 >= TRIES:
                await running.fail("internal")
            else:
                await running.give_back(failed=True)
        else:
            _logger.info("Job %s, %s, is done", job, state.kind)
