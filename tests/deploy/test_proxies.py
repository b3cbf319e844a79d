"""Rolling restarts behind the proxies of ``deploy/``, under load."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from realtime.ops.server_checks import of_server
from tests.kit.fleet import Fleet, talker
from tests.kit.metrics import scrape
from tests.kit.proxies import free_port, haproxy, nginx
from tests.kit.waiting import MS, wait_until

pytestmark = pytest.mark.timeout(180)

# Clients that speak WebSocket alone: whoever is refused once has to come again.
PEOPLE = 60

# Time for all of them to be back at the other node.
BACK_SECONDS = 10_000 * MS


@pytest.mark.parametrize(("proxy", "rounds"), [(nginx, 2), (haproxy, 1)])
async def test_rolling_restarts_in_a_row(
    redis_url: str, tmp_path: Path, proxy: Any, rounds: int
) -> None:
    """Everybody is back within seconds, each time, and no message fails.

    With nginx's defaults a node that goes counts as failed for ten seconds; when the
    other one goes then, there is none, and everybody is answered 502.
    """
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(redis_url).running(2))
        ports = [node.port for node in fleet.nodes]
        url = await stack.enter_async_context(proxy(tmp_path, ports, free_port()))
        # Polling over ever new connections, pages of this server, WebSockets.
        assert not [*await of_server(url)]
        crowd = [
            await stack.enter_async_context(talker(url, f"u{number}"))
            for number in range(PEOPLE)
        ]
        over = asyncio.Event()
        speaking = crowd[:3]
        async with asyncio.TaskGroup() as talking:
            for each in speaking:
                talking.create_task(each.talk(over))
            for _round in range(rounds):
                for index in range(2):
                    await fleet.restart(index)
                    await wait_until(
                        lambda: all(each.sio.connected for each in crowd),
                        "everybody is back",
                        seconds=BACK_SECONDS,
                    )
            over.set()
        for each in crowd:
            assert not each.refusals, each.refusals
        counts = [
            (await scrape(node.url))[1]["chatroom_sessions"] for node in fleet.nodes
        ]
        assert sum(counts) == PEOPLE
        texts = [text for each in speaking for text in each.sent]
        assert len(texts) > 10
        for each in crowd:
            await wait_until(
                lambda each=each: len(each.texts()) == len(texts), "all is seen"
            )
            assert sorted(each.texts()) == sorted(texts)
