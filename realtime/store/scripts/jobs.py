"""Work that takes a while, and goes on at another node when its own dies."""

from collections.abc import Awaitable

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, Refusal, load, refusal

JOB_SAVE = load("job_save")
JOB_START = load("job_start")


def job_start(
    redis: ScriptRunner,
    *,
    due: str,
    known: str,
    state: str,
    result: str,
    job: str,
    fields: bytes,
    limit: int,
    keep_ms: int,
) -> Awaitable[bool | Refusal]:
    """Begin a job; false: it is waiting, or under way."""
    reply = redis.run_script(
        JOB_START, (due, known, state, result), (job, fields, limit, keep_ms)
    )
    return Parsed(reply, lambda said: refusal(said) if said[0] < 0 else said[0] == 1)


def job_save(
    redis: ScriptRunner,
    *,
    due: str,
    known: str,
    state: str,
    result: str,
    job: str,
    score: str,
    lease_ms: int,
    keep_ms: int,
    fields: bytes,
    chunk: bytes,
) -> Awaitable[str]:
    """Keep how far a job is; return its score, empty if it is another node's."""
    reply = redis.run_script(
        JOB_SAVE,
        (due, known, state, result),
        (job, score, lease_ms, keep_ms, fields, chunk),
    )
    return Parsed(reply, lambda said: said.decode())
