"""SIGHUP replaces all workers, one after the other, and nobody fails for it."""

import asyncio
import socket
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.kit.fleet import talker
from tests.kit.members import all_see
from tests.kit.nodes import NAMESPACE, client
from tests.kit.waiting import MS, wait_until
from tests.workers.crew import Crew, crew

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def of_process(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


async def ask_on(three: Crew, over: asyncio.Event, answers: Counter[object]) -> None:
    """Ask over one kept connection, again and again, and count what comes."""
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as http:
        while not over.is_set():
            try:
                # No GET, which aiohttp would send again by itself.
                async with http.post(f"{three.url}/api/chats/42/message") as answer:
                    await answer.read()
                    answers[answer.status] += 1
            except aiohttp.ClientError as error:
                answers[repr(error)] += 1


async def test_a_reload_is_not_felt(redis_url: str) -> None:
    """No request fails, no message is lost or refused, sessions are even again."""
    with crew(redis_url) as three:
        before = {each.pid for each in three.workers}
        over = asyncio.Event()
        answers: Counter[object] = Counter()
        async with AsyncExitStack() as stack:
            crowd = [
                await stack.enter_async_context(talker(three.url, f"user{n}"))
                for n in range(30)
            ]
            async with asyncio.TaskGroup() as work:
                for each in crowd[:3]:
                    work.create_task(each.talk(over))
                for _ in range(4):
                    work.create_task(ask_on(three, over, answers))
                await three.reload()
                over.set()
            done = await three.numbers("chatroom_worker_reloads_total", outcome="done")
            assert done == {"": 1}
            assert not before & {each.pid for each in three.workers}
            # Without a token: but each request was answered, none broken off.
            assert set(answers) == {401}
            assert answers[401] > 100
            texts = [text for each in crowd[:3] for text in each.sent]
            for each in crowd:
                assert not each.refusals, (each.refusals, three.node.output)
            await wait_until(
                lambda: all(len(each.texts()) == len(texts) for each in crowd), "all"
            )
            await all_see(crowd, crowd[0].texts(), "42")

            async def are_back() -> bool:
                return sum((await three.numbers("chatroom_sessions")).values()) == 30

            await wait_until(are_back, "all are back")
            counts = await three.numbers("chatroom_sessions")
            assert all(7 <= each <= 13 for each in counts.values()), counts


async def test_a_version_that_does_not_start_replaces_nothing(
    redis_url: str, tmp_path: Path
) -> None:
    """The old workers go on, with all who are connected, and it is told."""
    words = tmp_path / "words"
    words.write_text("badword\n")
    with crew(redis_url, 2, variables={"CHATROOM_WORDS_FILE": str(words)}) as two:
        before = two.workers
        async with talker(two.url, "ann") as ann:
            words.write_bytes(b"\xff\xfe\xff")
            await two.reload()
            failed = await two.numbers(
                "chatroom_worker_reloads_total", outcome="failed"
            )
            assert failed == {"": 1}
            assert two.workers == before
            assert "does not get ready: the old ones go on" in two.node.output
            await ann.send("still here")
            assert ann.returns == 1


async def test_systemd_is_told(redis_url: str, tmp_path: Path) -> None:
    """When all serve, when it reloads and is ready again, stops; and that it lives."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        said: list[str] = []

        def heard(text: str) -> bool:
            try:
                while True:
                    said.append(systemd.recv(4096).decode())
            except BlockingIOError:
                return any(text in each for each in said)

        variables = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"}
        with crew(redis_url, 2, variables=variables) as two:
            assert heard("READY=1")
            await wait_until(lambda: heard("WATCHDOG=1"), "a sign of life")
            said.clear()
            await two.reload()
            assert heard("RELOADING=1\nMONOTONIC_USEC=")
            await wait_until(lambda: heard("READY=1"), "it is ready again")
            for worker in two.workers:
                assert "NOTIFY_SOCKET" not in of_process(worker.pid, "environ")
        assert heard("STOPPING=1")


async def test_the_end_is_in_good_order(tmp_path: Path) -> None:
    """Workers go before the embedded Valkey; nothing is left, not even killed."""
    with crew(None, 2, "--data-dir", str(tmp_path)) as two:
        async with client(two.node, "ann") as sio:
            told: list[object] = []
            sio.on("closing", told.append, namespace=NAMESPACE)
            pids = [each.pid for each in two.workers]
            two.node.terminate()
            await wait_until(lambda: told, "told that it closes")
            assert await two.node.ended() == 0
            output = two.node.output
        assert "is killed" not in output
        assert "ERROR" not in output, output
        assert not any(map(lives, pids))


async def test_workers_do_not_outlive_a_supervisor_that_was_killed(
    redis_url: str,
) -> None:
    """They drain and go: the next supervisor has the port."""
    with crew(redis_url, 2) as two:
        pids = [each.pid for each in two.workers]
        two.node.kill()
        await wait_until(
            lambda: not any(map(lives, pids)),
            "they are gone",
            seconds=20_000 * MS,
        )


async def test_the_port_of_another_server_is_not_shared(redis_url: str) -> None:
    """Neither by several workers nor by one node: the kernel would allow it."""
    with crew(redis_url, 2) as two:
        for count in ("1", "2"):
            arguments = ("--port", str(two.node.port), "--workers", count)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "realtime", "serve", *arguments),
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            assert process.returncode == 1
            assert b"is in use by another program" in said
