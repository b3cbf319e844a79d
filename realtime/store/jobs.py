"""Jobs: work that takes minutes, kept where any node finds it and goes on with it.

A job is one node's for as long as that keeps it by :meth:`Jobs.save`; after the death
of that node it is due again, and another one goes on from what was saved last. What is
saved, where to go on and what was made by then, is one step: nothing is made twice.
"""

import asyncio
import gzip
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Final, NamedTuple

import orjson

from realtime.redis.client import RedisClient
from realtime.store import keys, scripts
from realtime.store.refusals import granted
from realtime.store.scripts import Refusal

# Jobs that are known at a time, their results among them.
KNOWN_JOBS: Final = 50

# For how long a job that ended is known, with its result: a day.
KEPT_MS: Final = 24 * 3_600_000

# How long a job may take in all.
DEADLINE_MS: Final = 6 * 3_600_000

# After the death of its node a job waits so long.
LEASE_MS: Final = 30_000

# Compressed bytes of a result: some 80 MB of JSON, 400,000 messages.
RESULT_BYTES: Final = 16 * 1024 * 1024

# Chunks that are read of a result in one go.
CHUNKS_TOGETHER: Final = 4


class JobState(NamedTuple):
    """What is known of a job; times in Unix ms, 0: not yet.

    Attributes:
        job: Its id.
        kind: What is done.
        user: To whom.
        by: Who asked for it.
        status: ``waiting``, ``running``, ``done`` or ``failed``.
        place: How far it is: where to go on.
        counts: What was done so far, by what it is.
        tries: How often it failed, and was tried again.
        result_bytes: Compressed.
        error: Why it failed, a word; empty: it did not.
        created_at: When it was asked for.
        ended_at: When it ended.
        expires_at: When it is forgotten.
    """

    job: str
    kind: str
    user: str
    by: str
    status: str
    place: Mapping[str, str | int]
    counts: Mapping[str, int]
    tries: int
    result_bytes: int
    error: str
    created_at: int
    ended_at: int
    expires_at: int


class Jobs:
    """The jobs of a deployment.

    All raise UnavailableError and OutcomeUnknownError while Redis is away.

    Args:
        redis: The client that carries commands out.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def start(self, kind: str, *, user: str, by: str) -> str:
        """Begin a job, or find the same one under way; return its id.

        One that ended begins anew, and what it made is forgotten.

        Raises:
            TooLargeError: There are too many.
        """
        job = job_id(kind, user)
        begun: bool | Refusal = await scripts.job_start(
            self._redis,
            due=keys.JOBS_DUE,
            known=keys.JOBS_KNOWN,
            state=keys.job_state(job),
            result=keys.job_result(job),
            job=job,
            fields=orjson.dumps({"kind": kind, "user": user, "by": by}),
            limit=KNOWN_JOBS,
            keep_ms=DEADLINE_MS + KEPT_MS,
        )
        granted(begun)
        return job

    async def find(self, job: str) -> JobState | None:
        """Return what is known of a job; None: there is none."""
        found = await self._redis.call("HGETALL", keys.job_state(job))
        said = {
            name.decode(): value.decode()
            for name, value in zip(found[::2], found[1::2], strict=True)
        }
        if "kind" not in said:
            return None
        return JobState(
            job=job,
            kind=said["kind"],
            user=said["user"],
            by=said["by"],
            status=said["status"],
            place=orjson.loads(said.get("place", "{}")),
            counts=orjson.loads(said.get("counts", "{}")),
            tries=int(said.get("tries", 0)),
            result_bytes=int(said.get("resultBytes", 0)),
            error=said.get("error", ""),
            created_at=int(said.get("createdAt", 0)),
            ended_at=int(said.get("endedAt", 0)),
            expires_at=int(said.get("expiresAt", 0)),
        )

    async def take(self, limit: int) -> dict[str, str]:
        """Take jobs that wait, or whose node died; return what each is saved by."""
        # As rooms of the outbox are: who takes them has them for a while.
        taken = await scripts.outbox_take(
            self._redis, outbox=keys.JOBS_DUE, limit=limit, taken_ms=LEASE_MS
        )
        return dict.fromkeys(taken.rooms, taken.score)

    async def save(
        self,
        job: str,
        score: str,
        fields: Mapping[str, object],
        *,
        chunk: bytes = b"",
        lease_ms: int | None = None,
    ) -> str:
        """Keep a job, and how far it is; return what it is saved by next.

        Args:
            job: Which.
            score: What it was taken, or saved, by.
            fields: What is known of it now.
            chunk: What is added to its result, compressed.
            lease_ms: Until others take it; 0: at once, -1: it has ended, None: as long
                as a lease is.

        Returns:
            Empty where it is another node's by now, or was deleted.
        """
        return await scripts.job_save(
            self._redis,
            due=keys.JOBS_DUE,
            known=keys.JOBS_KNOWN,
            state=keys.job_state(job),
            result=keys.job_result(job),
            job=job,
            score=score,
            lease_ms=LEASE_MS if lease_ms is None else lease_ms,
            keep_ms=KEPT_MS,
            fields=orjson.dumps({name: str(value) for name, value in fields.items()}),
            chunk=chunk,
        )

    async def delete(self, job: str) -> bool:
        """Forget a job, with what it made; one that runs ends. False: there is none."""
        await self._redis.call("ZREM", keys.JOBS_DUE, job)
        await self._redis.call("ZREM", keys.JOBS_KNOWN, job)
        gone = await self._redis.call("DEL", keys.job_state(job), keys.job_result(job))
        return bool(gone)

    async def result(self, job: str) -> AsyncIterator[bytes]:
        """Yield what a job made, in parts of some hundred kilobytes."""
        start = "-"
        while True:
            found = await self._redis.call(
                *("XRANGE", keys.job_result(job), start, "+", "COUNT", CHUNKS_TOGETHER)
            )
            for entry, (_, chunk) in found:
                start = f"({entry.decode()}"
                yield await asyncio.to_thread(gzip.decompress, chunk)
            if len(found) < CHUNKS_TOGETHER:
                return


def job_id(kind: str, user: str) -> str:
    """Return the id of what is done to a user: there is one of a kind at a time."""
    digest = hashlib.sha256(f"{kind} {user}".encode()).digest()
    return urlsafe_b64encode(digest[:16]).decode().rstrip("=")


async def compressed(lines: bytes) -> bytes:
    """Return a chunk of a result; made beside the event loop."""
    return await asyncio.to_thread(gzip.compress, lines, 3, mtime=0)
