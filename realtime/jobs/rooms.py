"""All rooms, one after the other, from where a job was left."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from realtime.jobs.running import RunningJob
from realtime.store.room_index import RoomIndex

# Names of rooms that are read in one go.
NAMES_TOGETHER: Final = 100

# Between two looks at a room: a job takes a small part of Redis, and of the node.
PAUSE_SECONDS: Final = 0.002


async def rooms_of_job(index: RoomIndex, job: RunningJob) -> AsyncIterator[str]:
    """Yield rooms, the one first at which the job was left; each yields to others."""
    room = str(job.place.get("room", ""))
    if room:
        yield room
    while names := await index.names(after=room, limit=NAMES_TOGETHER):
        for room in names:
            await asyncio.sleep(PAUSE_SECONDS)
            yield room
            job.counts["rooms"] += 1
