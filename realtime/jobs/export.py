"""Writes down what there is of a user, a line of JSON each."""

import asyncio
import time
from typing import Final

import orjson

from realtime.jobs.rooms import PAUSE_SECONDS, rooms_of_job
from realtime.jobs.running import RunningJob
from realtime.store.blocks import Blocks
from realtime.store.personal_log import PersonalLog
from realtime.store.profiles import Profiles
from realtime.store.room_index import RoomIndex
from realtime.store.scripts import OwnMessages, OwnReactions
from realtime.store.user_traces import UserTraces

# A place behind all messages of a room.
_DONE: Final = -1


class Export:
    """Exports users.

    Args:
        index: All rooms.
        traces: Finds what there is in one.
        profiles: What the user is called.
        blocks: Whom they block.
        personal: What they made of their rooms.
    """

    def __init__(
        self,
        index: RoomIndex,
        traces: UserTraces,
        profiles: Profiles,
        blocks: Blocks,
        personal: PersonalLog,
    ) -> None:
        self._index = index
        self._traces = traces
        self._profiles = profiles
        self._blocks = blocks
        self._personal = personal

    async def run(self, job: RunningJob) -> None:
        """Write a user down, from where it was left.

        Raises:
            LostError, FailedError: as of :meth:`RunningJob.reached`.
            ChatError: Redis is away.
        """
        if not job.place:
            await self._about(job)
            await job.reached(room="", start=_DONE, at_once=True)
        left_at = job.place
        async for room in rooms_of_job(self._index, job):
            start = int(left_at["start"]) if room == left_at["room"] else 0
            if start != _DONE:
                await self._room(job, room, start)

    async def _about(self, job: RunningJob) -> None:
        (profile,) = await self._profiles.of_users([job.user])
        at = round(time.time() * 1000)
        shown = {"user": job.user, "name": profile.name, "picture": profile.picture}
        job.add({"user": {**shown, "exportedAt": at}})
        for other in await self._blocks.of_user(job.user):
            job.add({"block": {"user": other}})

    async def _room(self, job: RunningJob, room: str, start: int) -> None:
        look = await self._traces.look(room, job.user, max(start, 1))
        if start == 0 and look.is_member:
            await self._membership(job, room)
        await self._messages(job, room, look.messages)
        await self._reactions(job, room, look.reactions)
        for act in look.notes.acts:
            name, told = orjson.loads(act)
            job.add({"act": {"act": name, **told}})
        for report in look.notes.reports:
            told = orjson.loads(report)
            if told["by"] == job.user:
                # What others said of them is others'.
                job.add({"report": {"room": room, **told}})
        await job.reached(room=room, start=_DONE)

    async def _messages(self, job: RunningJob, room: str, page: OwnMessages) -> None:
        while True:
            for message in page.messages:
                job.add({"message": orjson.Fragment(message)})
            job.counts["messages"] += len(page.messages)
            if not page.start:
                return
            await job.reached(room=room, start=page.start)
            await asyncio.sleep(PAUSE_SECONDS)
            page = await self._traces.messages(room, job.user, page.start)

    async def _reactions(self, job: RunningJob, room: str, page: OwnReactions) -> None:
        while True:
            for number, key in page.reactions:
                job.add({"reaction": {"room": room, "message": number, "key": key}})
            job.counts["reactions"] += len(page.reactions)
            if not page.after:
                return
            await asyncio.sleep(PAUSE_SECONDS)
            page = await self._traces.reactions(room, job.user, page.after)

    async def _membership(self, job: RunningJob, room: str) -> None:
        found = await self._traces.membership(room, job.user)
        if found is None:
            return
        mine = (await self._personal.mine(job.user, [room]))[room]
        job.add(
            {
                "membership": {
                    "room": room,
                    "name": found.name,
                    "kind": found.kind,
                    "role": found.record["role"],
                    "joinedAt": found.record["joinedAt"],
                    "lastReadMessage": found.last_read,
                    **mine.to_wire(),
                }
            }
        )
        job.counts["memberships"] += 1
