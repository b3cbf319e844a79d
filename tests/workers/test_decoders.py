"""Images of all workers are decoded by two processes of the machine."""

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from realtime.engineio.sid_marks import mark_of
from realtime.images.places import DECODERS
from tests.kit.members import Member
from tests.kit.nodes import client
from tests.kit.pictures import picture
from tests.kit.waiting import wait_until
from tests.workers.crew import START_SECONDS, Crew, children, crew

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]

PEOPLE = 9


def decoders(three: Crew) -> list[int]:
    """Return the processes that decode images, of all workers."""
    return [pid for each in three.workers for pid in children(each.pid)]


async def test_there_are_no_more_than_two(redis_url: str, tmp_path: Path) -> None:
    """However many workers want one; idle ones make way, a dead worker's is freed."""
    with crew(redis_url, 3, "--data-dir", str(tmp_path)) as three:
        async with AsyncExitStack() as stack:
            people: dict[int, list[Member]] = {}
            for n in range(PEOPLE):
                user = f"user{n}"
                sio = await stack.enter_async_context(client(three.node, user))
                member = Member(sio, user)
                await member.join()
                people.setdefault(mark_of(sio.eio.sid), []).append(member)
            assert len(people) == 3

            async def send(member: Member, client_id: str) -> None:
                image = {"room": "42", "clientId": client_id, "type": "image"}
                await member.do("send", {**image, "image": picture("PNG", (20, 10))})

            async def send_all(round_: str) -> int:
                """Have everybody send one; return the most decoders that were seen."""
                everybody = [each for group in people.values() for each in group]
                sending = asyncio.gather(
                    *(send(each, f"{round_}{n}") for n, each in enumerate(everybody))
                )
                most = 0
                while not sending.done():
                    most = max(most, len(decoders(three)))
                    await asyncio.sleep(0)
                await sending
                return most

            assert 1 <= await send_all("a") <= DECODERS
            await wait_until(lambda: not decoders(three), "idle ones make way")

            # One that dies with a place in its hands.
            number, group = next(iter(people.items()))
            await send(group[0], "b")
            victim = next(each for each in three.workers if each.number == number)
            assert children(victim.pid)
            os.kill(victim.pid, signal.SIGKILL)
            del people[number]
            await wait_until(
                lambda: len(three.workers) == 3, "another one", seconds=START_SECONDS
            )
            assert 1 <= await send_all("c") <= DECODERS + len(decoders(three))
            await wait_until(lambda: not decoders(three), "idle ones make way")
            assert await send_all("d") == DECODERS
