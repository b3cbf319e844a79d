"""Takes away what there is of a user, in all rooms, and of their own."""

import asyncio
from typing import Final

from realtime.errors import NotFoundError
from realtime.jobs.rooms import PAUSE_SECONDS, rooms_of_job
from realtime.jobs.running import RunningJob
from realtime.presence.room_counts import RoomCounts
from realtime.rooms.reaction_notices import ReactionNotices
from realtime.store.blocks import Blocks
from realtime.store.events import stored_number
from realtime.store.jobs import Jobs, job_id
from realtime.store.membership import Memberships
from realtime.store.message_changes import MessageChanges
from realtime.store.revocations import LOOK_SECONDS, Revocations
from realtime.store.room_index import RoomIndex
from realtime.store.scripts import OwnMessages, OwnReactions
from realtime.store.user_traces import UserTraces
from schemas.field_types import ERASED

# Deletions of messages a second: each is an event for all who attend the room.
DELETIONS_A_SECOND: Final = 100

# Until no node serves the user any more: they look for who is revoked so often.
SETTLE_SECONDS: Final = 3 * LOOK_SECONDS


class Erasure:
    """Erases users.

    What was done is done for good, and doing it again changes nothing: so a job that
    was left begins its room anew.

    Args:
        index: All rooms.
        traces: Finds what there is in one, and takes it out.
        changes: Deletes messages.
        notices: Tells rooms of reactions that are gone.
        memberships: Ends memberships.
        member_counts: Tells rooms of it.
        blocks: Ends whom the user blocks.
        revocations: Ends their sessions and tokens.
        jobs: Has what was exported of them.
    """

    def __init__(
        self,
        index: RoomIndex,
        traces: UserTraces,
        changes: MessageChanges,
        *,
        notices: ReactionNotices,
        memberships: Memberships,
        member_counts: RoomCounts,
        blocks: Blocks,
        revocations: Revocations,
        jobs: Jobs,
    ) -> None:
        self._index = index
        self._traces = traces
        self._changes = changes
        self._notices = notices
        self._memberships = memberships
        self._member_counts = member_counts
        self._blocks = blocks
        self._revocations = revocations
        self._jobs = jobs

    async def run(self, job: RunningJob) -> None:
        """Erase a user, from where it was left.

        Raises:
            LostError, FailedError: as of :meth:`RunningJob.reached`.
            ChatError: Redis is away, or too many users are revoked.
        """
        if not job.place:
            await self._revocations.revoke(job.user)
            # Nobody writes behind where this has been.
            await asyncio.sleep(SETTLE_SECONDS)
            await job.reached(room="", at_once=True)
        async for room in rooms_of_job(self._index, job):
            look = await self._traces.look(room, job.user)
            await self._messages(job, room, look.messages)
            await self._reactions(job, room, look.reactions)
            if look.is_member:
                await self._memberships.quit(room, job.user)
                self._member_counts.changed(room)
                await self._memberships.unlist(room, job.user)
                job.counts["memberships"] += 1
            await self._traces.notes(room, job.user, erased=ERASED)
            await job.reached(room=room)
        for other in await self._blocks.of_user(job.user):
            await self._blocks.set(user=job.user, blocked=other, on=False)
        await self._traces.forget(job.user)
        await self._jobs.delete(job_id("export", job.user))

    async def _messages(self, job: RunningJob, room: str, page: OwnMessages) -> None:
        while True:
            for number in map(stored_number, page.messages):
                try:
                    done = await self._changes.delete(
                        room=room, user=ERASED, message=number
                    )
                except NotFoundError:
                    # It left the history meanwhile.
                    continue
                job.counts["messages"] += not done.duplicate
                await job.reached(room=room)
                await asyncio.sleep(1 / DELETIONS_A_SECOND)
            if not page.start:
                return
            await asyncio.sleep(PAUSE_SECONDS)
            page = await self._traces.messages(room, job.user, page.start)

    async def _reactions(self, job: RunningJob, room: str, page: OwnReactions) -> None:
        while True:
            for number, key in page.reactions:
                if await self._traces.withdraw(room, job.user, number, key):
                    self._notices.changed(room, number)
                    job.counts["reactions"] += 1
            if not page.after:
                return
            await asyncio.sleep(PAUSE_SECONDS)
            page = await self._traces.reactions(room, job.user, page.after)
