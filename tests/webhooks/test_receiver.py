"""The receiver of ``docs/webhooks.md``, and ``chatroom hook``, as they stand there."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from realtime.redis.valkey_process import die_with_parent
from tests.kit.command import chatroom
from tests.kit.hook_receiver import LOOPBACK, HookReceiver
from tests.kit.members import member
from tests.kit.nodes import run_nodes
from tests.kit.waiting import DEADLINE_SECONDS, wait_until
from verify.harness.valkey import free_ports

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


class Receiver:
    """The lines of the page, as a process; what they print."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        self._lines = process.stdout

    async def next_line(self) -> str:
        """Return the next line that it prints."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return (await self._lines.readline()).decode().strip()


@asynccontextmanager
async def receiver(folder: Path, secret: str, port: int) -> AsyncIterator[Receiver]:
    """Run the receiver of the page until the block ends."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    program = folder / "receiver.py"
    program.write_text(found[1])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(program), secret, str(port)),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    try:
        yield Receiver(process)
    finally:
        process.kill()
        await process.wait()


async def test_the_page_from_its_top(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint is made, tried out, told of a message, listed and deleted."""
    monkeypatch.setenv("CHATROOM_HOOK_ALLOW", LOOPBACK)
    at = ("--redis-url", redis_url)
    (port,) = free_ports(1)
    async with (
        run_nodes(1, redis_url, hook_allow=LOOPBACK) as (node,),
        member(node, "ann", "42") as ann,
    ):
        url = f"http://{LOOPBACK}:{port}/hooks"
        status, made = await chatroom(
            "hook", "create", url, "--types", "message.*", *at
        )
        assert status == 0, made
        hook_id, secret = made.split()
        async with receiver(tmp_path, secret, port) as told:
            status, said = await chatroom("hook", "test", hook_id, *at)
            assert (status, said[:4]) == (0, "msg_")
            assert (await told.next_line()).split() == ["hook.test", "{}"]
            await wait_until(lambda: node.parts.outbox.active, "the node knows")
            await ann.send("hello")
            line = await told.next_line()
            assert line.startswith("message.created {'offset': 1,")
            assert "'text': 'hello'" in line
        _, listed = await chatroom("hook", "list", *at)
        assert listed.startswith(f"{hook_id}  http://{LOOPBACK}:{port}  message.*  *")
        assert secret not in listed
        assert await chatroom("hook", "delete", hook_id, *at) == (
            0,
            f"Deleted {hook_id}.\n",
        )
        assert await chatroom("hook", "list", *at) == (0, "")


async def test_what_was_given_up_is_listed_and_replayed(
    app: HookReceiver, redis_url: str, hooks_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By command, while nodes run; endpoints of the file as well."""
    monkeypatch.setenv("CHATROOM_HOOKS_FILE", str(hooks_file))
    at = ("--redis-url", redis_url)
    app.decide = lambda _event: 500
    settings = {"hooks_file": hooks_file, "hook_allow": LOOPBACK}
    async with (
        run_nodes(1, redis_url, **settings) as (node,),
        member(node, "ann", "42") as ann,
    ):
        await ann.send("hello")
        counts = node.parts.webhook_numbers.outcomes
        await wait_until(lambda: counts["given_up"], "it is given up")
        _, dead = await chatroom("hook", "dead", "app", *at)
        assert dead.split()[:4] == [
            app.tried[0].id,
            "message.created",
            "42",
            "failed",
        ]
        _, listed = await chatroom("hook", "list", *at)
        assert "failing since 20" in listed
        assert "(status 500)" in listed
        assert "0 waiting  1 given up" in listed
        app.decide = lambda _event: 204
        assert await chatroom("hook", "replay", "app", *at) == (0, "Replayed 1.\n")
        await wait_until(lambda: app.texts() == ["hello"], "it is told")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "ftp://example.org"), "url: Must be an address"),
        (("create", "https://a.example", "--types", "all"), "such as message.*"),
        (("create", "http://127.0.0.1:8000/"), "CHATROOM_HOOK_ALLOW"),
        (("pause", "none"), "no endpoint none"),
        (("create", "https://a.example", "--id", "A B"), "1 to 32 of a-z"),
        (("delete", "none"), "no endpoint none"),
        (("enable", "none"), "no endpoint none"),
        (("replay", "none"), "no endpoint none"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    redis_url: str, arguments: tuple[str, ...], said: str
) -> None:
    """With an exit code, without a traceback."""
    status, output = await chatroom("hook", *arguments, "--redis-url", redis_url)
    assert status != 0
    assert said in output
    assert "Traceback" not in output
