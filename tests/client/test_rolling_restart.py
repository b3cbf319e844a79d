"""Three nodes are restarted in turn while people chat, and nobody minds."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.client.chatting import (
    ROOM,
    all_shown,
    check_histories,
    in_room,
    stored,
)
from tests.kit.balancer import HealthBalancer
from tests.kit.fleet import EVERY_MS, Fleet, Talker, talker
from tests.kit.javascript import Program, require_node
from tests.kit.members import all_see
from tests.kit.waiting import MS, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

# Messages that everybody sees between two restarts.
BETWEEN = 40

# States that are no error: a page says that it is coming back.
HARMLESS = {"connecting", "online", "reconnecting"}


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


async def test_a_rolling_restart_is_not_felt(redis_url: str) -> None:
    """No send fails or is repeated for an error; one history, the same for all."""
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(redis_url).running(3))
        balancer = await stack.enter_async_context(
            HealthBalancer([node.port for node in fleet.nodes]).running()
        )
        programs = [
            await stack.enter_async_context(in_room(balancer.url, user))
            for user in ("ann", "ben", "cem")
        ]
        talkers = [
            await stack.enter_async_context(talker(balancer.url, user))
            for user in ("dan", "eva", "fee")
        ]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as talking:
            for each in talkers:
                talking.create_task(each.talk(over))
            for program, prefix in zip(programs, "abc", strict=True):
                program.tell(
                    "flow", room=ROOM, count=10_000, everyMs=EVERY_MS, prefix=prefix
                )
            for index in range(3):
                await goes_on(programs, talkers)
                said = await fleet.restart(index)
                assert "not finished in time" not in said
                await wait_until(
                    lambda: len(balancer.ready) == 3, "the balancer has three nodes"
                )
            await goes_on(programs, talkers)
            over.set()
            for program in programs:
                program.tell("hush")
        await check(redis_url, programs, talkers)
        assert all("Traceback" not in node.output for node in fleet.nodes)


async def goes_on(programs: list[Program], talkers: list[Talker]) -> None:
    """Return when everybody has seen some more messages."""
    goals = [len(each.all("message")) + BETWEEN for each in programs]
    wanted = [len(each.texts(ROOM)) + BETWEEN for each in talkers]

    def reached() -> bool:
        shown = [len(each.all("message")) for each in programs]
        seen = [len(each.texts(ROOM)) for each in talkers]
        return all(a >= b for a, b in zip(shown + seen, goals + wanted, strict=True))

    try:
        await wait_until(reached, "the talk goes on", seconds=30_000 * MS)
    except AssertionError as error:
        lines = [f"{each.said[-2:]} {each.errors[-500:]}" for each in programs]
        lines += [
            f"{each.user}: {len(each.texts(ROOM))} seen, {each.returns} connects,"
            f" connected {each.sio.connected}, {each.refusals} {each.faults}"
            for each in talkers
        ]
        raise AssertionError("\n".join([str(error), *lines])) from None


async def check(redis_url: str, programs: list[Program], talkers: list[Talker]) -> None:
    """Hold what everybody saw against the log."""
    flows = [
        [f"{prefix}{n + 1}" for n in range((await each.heard("hushed"))["count"])]
        for each, prefix in zip(programs, "abc", strict=True)
    ]
    count = sum(map(len, flows)) + sum(len(each.sent) for each in talkers)
    for program in programs:
        await all_shown(program, count)
    log = await stored(redis_url)
    check_histories(log, programs, [*flows, *(each.sent for each in talkers)])
    for program in programs:
        assert not program.all("failed")
        statuses = program.all("status")
        assert statuses[-1]["sending"] == 0
        assert {each["state"] for each in statuses} <= HARMLESS
        assert {each["trouble"] for each in statuses} == {None}
    await all_see(talkers, [text for _number, text in log], ROOM)
    for each in talkers:
        assert not each.refusals, each.refusals
    assert sum(each.returns - 1 for each in talkers) > 0, "nobody was moved"
