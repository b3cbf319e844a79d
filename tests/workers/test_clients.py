"""Unmodified clients: they see one server, whatever they connect with."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import socketio

from tests.kit.javascript import require_node, run_program
from tests.kit.members import Member, all_see
from tests.kit.nodes import NAMESPACE
from tests.kit.proxies import nginx
from tests.kit.waiting import DEADLINE_SECONDS, wait_until
from tests.workers.crew import Crew, crew
from verify.harness.valkey import free_ports

pytestmark = pytest.mark.timeout(120)

# More than connections that a client opens, fewer than a busy machine lets connect.
PEOPLE = 24

WAYS = {
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
    "websocket": ["websocket"],
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Three workers, on one embedded Valkey."""
    folder = tmp_path_factory.mktemp("data")
    with crew(None, 3, "--data-dir", str(folder)) as made:
        yield made


@asynccontextmanager
async def member(url: str, user: str, way: str) -> AsyncIterator[Member]:
    """Connect python-socketio's client, which must never have to come back."""
    sio = socketio.AsyncClient(reconnection=False)
    made = Member(sio, user)
    try:
        await sio.connect(
            url,
            namespaces=[NAMESPACE],
            auth={"user": user},
            transports=WAYS[way],
            wait_timeout=DEADLINE_SECONDS,
        )
        yield made
        assert sio.connected
        assert not made.problems, made.problems
        assert not made.faults, made.faults
    finally:
        await sio.shutdown()


async def talk(url: str, way: str, room: str) -> None:
    """Have people say something in turn, and see what all others say."""
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(member(url, f"{way}{n}", way))
            for n in range(PEOPLE)
        ]
        await asyncio.gather(*(each.join(room) for each in people))
        texts = [f"{way} {n}" for n in range(PEOPLE)]
        for each, text in zip(people, texts, strict=True):
            await each.send(text, room)
        await all_see(people, texts, room)


@pytest.mark.parametrize("way", WAYS)
async def test_python_clients_talk_over_every_transport(three: Crew, way: str) -> None:
    """Nobody has to come back, be sticky, or know that there are several."""
    await talk(three.url, way, f"direct-{way}")


@pytest.mark.parametrize("way", WAYS)
async def test_python_clients_talk_through_a_proxy(
    three: Crew, way: str, tmp_path: Path
) -> None:
    """Nginx sends each request over whatever connection it has."""
    port, (own,) = three.node.port, free_ports(1)
    async with nginx(tmp_path, [port, port], own) as url:
        await talk(url, way, f"proxied-{way}")


@pytest.mark.parametrize("way", WAYS)
async def test_javascript_clients_talk_over_every_transport(
    three: Crew, way: str
) -> None:
    """The plain socket.io-client, whose polls and posts have connections of their own.

    It would say ``disconnect`` if a request were refused.
    """
    require_node()
    program = Path(__file__).parents[1] / "client" / "socket_program.mjs"
    async with AsyncExitStack() as stack:
        talkers = []
        for n in range(4):
            options = {"transports": WAYS[way]}
            said = {"url": three.url, "auth": {"user": f"js{n}"}, "options": options}
            talkers.append(
                await stack.enter_async_context(run_program(program, json.dumps(said)))
            )
        room = f"js-{way}"
        for each in talkers:
            await each.heard("connect")
            each.tell("emit", name="join", payload={"room": room})
            assert (await each.heard("ack"))["ack"]["ok"]
        for number, each in enumerate(talkers):
            payload = {"room": room, "clientId": str(number), "type": "text"}
            each.tell("emit", name="send", payload={**payload, "text": f"t{number}"})
        for each in talkers:

            def shown(each=each) -> list[str]:  # type: ignore[no-untyped-def]
                lines = [one for one in each.all("heard") if one["name"] == "message"]
                return sorted(one["payload"]["text"] for one in lines)

            await wait_until(
                lambda shown=shown: shown() == ["t0", "t1", "t2", "t3"], "all is seen"
            )
            assert not each.all("disconnect")
            assert not each.all("connect_error")


async def test_sessions_are_spread_evenly(three: Crew) -> None:
    """Within a tenth, though the kernel spreads connections by chance."""
    async with AsyncExitStack() as stack:
        for n in range(120):
            await stack.enter_async_context(member(three.url, f"even{n}", "websocket"))
        counts = await three.numbers("chatroom_sessions")
        # Those of clients of the tests before may not have ended yet.
        even = sum(counts.values()) / 3
        assert even >= 40
        assert all(0.9 <= each / even <= 1.1 for each in counts.values()), counts
