"""Nodes and Redis die while messages flow: nothing lost, nothing twice, one order."""

from contextlib import AsyncExitStack

import pytest

from tests.client.chatting import (
    ROOM,
    all_shown,
    check_histories,
    in_room,
    stored,
)
from tests.kit.balancer import Balancer
from tests.kit.javascript import require_node
from tests.kit.nodes import run_process
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import MS

pytestmark = [pytest.mark.long, pytest.mark.timeout(90)]

# A sender's: at this rate the fault strikes in the middle of them.
MESSAGES = 120

EVERY_MS = 10
STRIKE_AFTER = 40


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


def flow(prefix: str) -> dict[str, object]:
    """Return what makes a client write."""
    return {"room": ROOM, "count": MESSAGES, "everyMs": EVERY_MS, "prefix": prefix}


def texts(prefix: str) -> list[str]:
    """Return what such a client writes."""
    return [f"{prefix}{number}" for number in range(1, MESSAGES + 1)]


@pytest.mark.parametrize(
    "transports",
    [["websocket"], ["polling", "websocket"], ["polling"]],
    ids=["websocket", "upgrade", "polling"],
)
async def test_a_node_is_killed(redis_url: str, transports: list[str]) -> None:
    """Clients of a killed node go on at another one, and all histories agree."""
    async with (
        run_process("--redis-url", redis_url) as doomed,
        run_process("--redis-url", redis_url) as other,
        Balancer([doomed.port, other.port]).running() as balancer,
        in_room(balancer.url, "ann", transports=transports) as ann,
        in_room(balancer.url, "ben", transports=transports) as ben,
        in_room(other.url, "cem") as cem,
    ):
        ann.tell("flow", **flow("a"))
        cem.tell("flow", **flow("c"))
        await all_shown(ben, STRIKE_AFTER)
        doomed.kill()
        everyone = (ann, ben, cem)
        for program in everyone:
            await all_shown(program, 2 * MESSAGES, seconds=40_000 * MS)
        states = [line["state"] for line in ann.all("status")]
        assert "reconnecting" in states, "the kill came too late to be felt"
        check_histories(await stored(redis_url), everyone, [texts("a"), texts("c")])
        for program in everyone:
            assert len(program.all("replaced")) == 1


async def test_a_node_is_taken_out_of_service(redis_url: str) -> None:
    """Clients of a node that drains move to another one when it asks them to."""
    async with (
        run_process("--redis-url", redis_url) as leaving,
        run_process("--redis-url", redis_url) as other,
        Balancer([leaving.port, other.port]).running() as balancer,
        in_room(balancer.url, "ann") as ann,
        in_room(other.url, "ben") as ben,
    ):
        ann.tell("flow", **flow("a"))
        ben.tell("flow", **flow("b"))
        await all_shown(ben, STRIKE_AFTER)
        # As a load balancer does when `/readyz` turns red.
        balancer.ports = [other.port]
        leaving.terminate()
        for program in (ann, ben):
            await all_shown(program, 2 * MESSAGES, seconds=40_000 * MS)
        log = await stored(redis_url)
        check_histories(log, (ann, ben), [texts("a"), texts("b")])
        assert not ann.all("failed")
        assert {line["state"] for line in ben.all("status")} <= {"connecting", "online"}
        assert await leaving.ended() == 0


async def test_who_only_reads_learns_of_an_outage(redis_server: RedisServer) -> None:
    """The connection stays, the state says what is wrong, and then that it is over."""
    async with (
        run_process("--redis-url", redis_server.url) as node,
        in_room(node.url, "ann") as ann,
    ):
        redis_server.kill()
        await ann.until(
            lambda: ann.last("status")["trouble"] == "unavailable",
            "the trouble is told",
        )
        assert ann.last("status")["state"] == "online"
        redis_server.start()
        await ann.until(
            lambda: ann.last("status")["trouble"] is None, "its end is told as well"
        )
        ann.tell("send", room=ROOM, text="Hello again")
        await all_shown(ann, 1)
        assert {line["state"] for line in ann.all("status")} <= {"connecting", "online"}


async def test_redis_is_killed_and_started_again(redis_server: RedisServer) -> None:
    """Sends get temporary errors meanwhile, are repeated, and all histories agree."""
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                run_process("--redis-url", redis_server.url)
            )
            for _node in range(2)
        ]
        ann = await stack.enter_async_context(in_room(nodes[0].url, "ann"))
        ben = await stack.enter_async_context(in_room(nodes[1].url, "ben"))
        for program, prefix in ((ann, "a"), (ben, "b")):
            program.tell("flow", **flow(prefix))
        await all_shown(ben, STRIKE_AFTER)
        redis_server.kill()
        await ann.until(
            lambda: ann.last("status").get("trouble") in ("unavailable", "unknown"),
            "the module tells that the server cannot take messages",
        )
        assert ann.last("status")["sending"] > 0
        redis_server.start()
        for program in (ann, ben):
            await all_shown(program, 2 * MESSAGES, seconds=40_000 * MS)
        log = await stored(redis_server.url)
        check_histories(log, (ann, ben), [texts("a"), texts("b")])
        assert not ann.all("failed")
        assert {line["state"] for line in ann.all("status")} <= {"connecting", "online"}
