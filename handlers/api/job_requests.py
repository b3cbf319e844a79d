"""Requests about jobs: a user is exported, or erased; how far it is, what it made."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from handlers.api.caller import Caller
from handlers.chat import ChatNamespace
from handlers.guard import Payload
from realtime.errors import ChatError, ConflictError, NotFoundError
from realtime.store.jobs import JobState
from schemas.api import EXPORT

Answer = dict[str, Any]

# Lines of JSON.
LINES_TYPE: Final = "application/x-ndjson"

_KINDS: Final[Mapping[str, str]] = {"user_export": EXPORT, "user_erase": "erase"}
# What a job counts, whatever it does.
_COUNTS: Final = ("rooms", "memberships", "messages", "reactions")

_logger = logging.getLogger(__name__)


class JobRequests:
    """Carries them out.

    Args:
        namespace: Knows the jobs, and gives images fresh addresses.
    """

    def __init__(self, namespace: ChatNamespace) -> None:
        self._namespace = namespace
        self._jobs = namespace.services.jobs

    async def start(self, name: str, caller: Caller, payload: Payload) -> Answer:
        """Begin a job, or find the same one under way."""
        job = await self._jobs.start(
            _KINDS[name], user=payload["user"], by=caller.session.user
        )
        self._namespace.services.job_runner.look()
        return _entry(await self._found(job))

    async def one(self, payload: Payload) -> Answer:
        """Return how far a job is."""
        return _entry(await self._found(payload["job"]))

    async def delete(self, payload: Payload) -> Answer:
        """Forget a job, with what it made; one that runs ends."""
        if not await self._jobs.delete(payload["job"]):
            raise _there_is_none()
        return {}

    async def download(
        self, request: web.Request, payload: Payload
    ) -> web.StreamResponse:
        """Stream what an export made.

        Raises:
            NotFoundError: There is no such job.
            ConflictError: It is not done, or makes nothing.
        """
        job = await self._found(payload["job"])
        if job.kind != EXPORT or job.status != "done":
            raise ConflictError("There is a result of exports that are done.")
        response = web.StreamResponse(
            headers={
                "Content-Type": LINES_TYPE,
                "Content-Disposition": 'attachment; filename="export.jsonl"',
                "Cache-Control": "no-store",
            }
        )
        await response.prepare(request)
        try:
            async for part in self._jobs.result(job.job):
                await response.write(self._resigned(part))
            await response.write_eof()
        except ChatError as error:
            # Cut off, so that nobody takes a part for all of it.
            _logger.warning("An export was cut off: %s", error.message)
            if request.transport is not None:
                request.transport.abort()
        return response

    def _resigned(self, lines: bytes) -> bytes:
        resigned = self._namespace.resigned
        return b"".join(map(resigned, lines.splitlines(keepends=True)))

    async def _found(self, job: str) -> JobState:
        found = await self._jobs.find(job)
        if found is None:
            raise _there_is_none()
        return found


def _there_is_none() -> NotFoundError:
    return NotFoundError("There is no such job, or not any more.")


def _entry(job: JobState) -> Answer:
    return {
        "job": job.job,
        "kind": job.kind,
        "user": job.user,
        "by": job.by,
        "status": job.status,
        **{name: job.counts.get(name, 0) for name in _COUNTS},
        "resultBytes": job.result_bytes,
        "error": job.error or None,
        "createdAt": job.created_at,
        "endedAt": job.ended_at or None,
        "expiresAt": job.expires_at or None,
    }
