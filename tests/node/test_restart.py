"""Redis is killed and comes back: honest answers, and nothing acknowledged is lost."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from tests.kit.members import Member, all_see, member, members, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import Payload
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS, wait_until

TEMPORARY = {"unavailable", "unknown"}
# Soon over, and longer than a busy disk keeps an answer back.
REDIS_TIMEOUT_SECONDS = 1_500 * MS


@pytest.fixture(params=[1, 3], ids=["one-node", "three-nodes"])
async def impatient(
    request: pytest.FixtureRequest, redis_url: str
) -> AsyncIterator[list[Node]]:
    """Nodes that give Redis little time, so that a request of an outage soon ends."""
    async with run_nodes(
        request.param, redis_url, redis_timeout_seconds=REDIS_TIMEOUT_SECONDS
    ) as made:
        yield made


async def insist(who: Member, payload: Payload, refused: list[Payload]) -> Payload:
    """Send until it is acknowledged, with the same clientId, as a client does."""
    while True:
        answer = await who.ask("send", payload)
        if answer["ok"]:
            return answer
        refused.append(answer["error"])
        # A client waits a moment; here the next answer takes as long as it takes.
        await asyncio.sleep(0)


async def test_a_kill_and_restart_while_messages_flow(
    impatient: list[Node], redis_server: RedisServer
) -> None:
    """Temporary errors while it is away; then all is there once, in one order."""
    ended = False
    refused: list[Payload] = []

    async def talk(who: Member, acknowledged: dict[str, int]) -> None:
        for number in itertools.count(1):
            if ended:
                return
            text = f"{who.user}{number}"
            answer = await insist(who, text_of(text), refused)
            acknowledged[text] = answer["message"]

    async with members(impatient, "abcd", "42") as everybody:
        told: list[dict[str, int]] = [{}, {}, {}]
        async with asyncio.TaskGroup() as talking:
            for who, acknowledged in zip(everybody, told, strict=False):
                talking.create_task(talk(who, acknowledged))
            for turn in range(1, 3):
                await grow(told, 20)
                redis_server.kill()
                await wait_until(
                    lambda turn=turn: len(refused) >= turn * len(told),
                    "sends are refused",
                )
                redis_server.start()
                await grow(told, 20)
            ended = True
        assert {error["code"] for error in refused} <= TEMPORARY
        assert all(error["temporary"] for error in refused)
        numbers = {text: n for each in told for text, n in each.items()}
        in_order = sorted(numbers, key=lambda text: numbers[text])
        await all_see(everybody, in_order)
        assert sorted(numbers.values()) == list(range(1, len(numbers) + 1))


async def grow(told: list[dict[str, int]], more: int) -> None:
    """Return when everybody who talks got that many more acks."""
    goals = [len(each) + more for each in told]
    await wait_until(
        lambda: all(len(each) >= g for each, g in zip(told, goals, strict=True)),
        "the talk goes on",
    )


async def test_the_codes_of_an_outage(
    impatient: list[Node], redis_server: RedisServer
) -> None:
    """Each request gets its clear temporary error in time; joins as well."""
    async with member(impatient[0], "ann", "42") as ann:
        await ann.send("before")
        redis_server.kill()
        requests: dict[str, object] = {
            "send": text_of("x"),
            "join": {"room": "43"},
            "mark_read": {"room": "42", "message": 1},
            "history": {"room": "42"},
            "rooms": None,
            "typing": {"room": "42", "on": True},
        }
        async with asyncio.timeout(5_000 * MS):
            errors = await asyncio.gather(
                *(ann.refused(event, payload) for event, payload in requests.items())
            )
        for error in errors:
            assert (error["code"] in TEMPORARY, error["temporary"]) == (True, True)
        redis_server.start()
        await insist(ann, text_of("after"), [])
        await all_see([ann], ["before", "after"])


async def test_a_redis_that_hangs(nodes: list[Node], redis_server: RedisServer) -> None:
    """SIGSTOP: an answer within five seconds, and the same clientId settles it."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        payload = text_of("once")
        redis_server.pause()
        async with asyncio.timeout(5_000 * MS):
            error = await ann.refused("send", payload)
        assert error["code"] == "unknown"
        redis_server.resume()
        await insist(ann, payload, [])
        await bob.next("message", text="once")
        await ann.send("twice")
        await all_see([ann, bob], ["once", "twice"])
