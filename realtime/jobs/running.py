"""A job while a node has it: how far it is, and what it made."""

import time
from collections import Counter
from typing import Any, Final

import orjson

from realtime.store.jobs import (
    DEADLINE_MS,
    RESULT_BYTES,
    Jobs,
    JobState,
    compressed,
)

# What is made is written in parts of so many bytes, before they are compressed.
CHUNK_BYTES: Final = 262_144

# How far it is, is saved so often at least: a part of the lease.
SAVE_SECONDS: Final = 5.0


class LostError(Exception):
    """Another node has the job by now, or it was deleted."""


class FailedError(Exception):
    """The job cannot be done; the text is a word that says why."""


class RunningJob:
    """Saves a job as it goes on.

    Args:
        jobs: Where it is kept.
        state: What is known of it.
        score: What it was taken by.

    Attributes:
        user: To whom something is done.
        counts: What was done so far.
    """

    def __init__(self, jobs: Jobs, state: JobState, score: str) -> None:
        self._jobs = jobs
        self._state = state
        self._score = score
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._result_bytes = state.result_bytes
        self._saved_at = time.monotonic()
        self._place: dict[str, str | int] = dict(state.place)
        self.user = state.user
        self.counts: Counter[str] = Counter(state.counts)

    @property
    def place(self) -> dict[str, str | int]:
        """Where to go on, as it was said last."""
        return self._place

    def add(self, line: dict[str, Any]) -> None:
        """Add a line of JSON to what it makes; written with what is reached next."""
        encoded = orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
        self._lines.append(encoded)
        self._waiting_bytes += len(encoded)

    async def reached(self, *, at_once: bool = False, **place: str | int) -> None:
        """Say where to go on from here; saved every few seconds, or at once.

        Raises:
            LostError: It is not this node's job any more.
            FailedError: It takes too long, or makes too much.
            ChatError: Redis is away.
        """
        self._place = place
        is_due = time.monotonic() - self._saved_at >= SAVE_SECONDS
        if at_once or is_due or self._waiting_bytes >= CHUNK_BYTES:
            await self._save({"status": "running"})
        if time.time() * 1000 - self._state.created_at > DEADLINE_MS:
            raise FailedError("deadline")

    async def end(self) -> None:
        """Note that it is done."""
        await self._save({"status": "done"}, lease_ms=-1)

    async def fail(self, why: str) -> None:
        """Note that it cannot be done, and why, a word."""
        self._lines.clear()
        await self._save({"status": "failed", "error": why}, lease_ms=-1)

    async def give_back(self, *, failed: bool) -> None:
        """Leave it to others: as it was saved last."""
        self._lines.clear()
        tries = self._state.tries + failed
        self._score = await self._jobs.save(
            self._state.job,
            self._score,
            {"tries": tries},
            lease_ms=round(SAVE_SECONDS * 1000) if failed else 0,
        )

    async def _save(self, fields: dict[str, object], **options: int) -> None:
        chunk = await compressed(b"".join(self._lines)) if self._lines else b""
        if self._result_bytes + len(chunk) > RESULT_BYTES:
            raise FailedError("too_large")
        told = {
            **fields,
            "place": orjson.dumps(self._place).decode(),
            "counts": orjson.dumps(dict(self.counts)).decode(),
            "resultBytes": self._result_bytes + len(chunk),
        }
        score = await self._jobs.save(
            self._state.job, self._score, told, chunk=chunk, **options
        )
        if not score:
            raise LostError
        self._score = score
        self._result_bytes += len(chunk)
        self._lines.clear()
        self._waiting_bytes = 0
        self._saved_at = time.monotonic()
