"""The ten lines of the README: they work as they stand, and never end in silence."""

import asyncio
import re
from pathlib import Path

import pytest

from realtime.redis.valkey_process import die_with_parent
from tests.kit.javascript import NODE_MODULES, ROOT, require_node
from tests.kit.nodes import run_process
from tests.kit.waiting import DEADLINE_SECONDS, MS

ADDRESS = "http://localhost:5000"
NOWHERE = "http://localhost:1"
# Node starts, and socket.io-client tries a while, on a busy machine.
START_SECONDS = 30_000 * MS


async def said(folder: Path, wanted: str, *changes: tuple[str, str]) -> str:
    """Run the lines, changed, until they say what is wanted; return all they said."""
    require_node()
    found = re.search(r"```js\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    program = found[1]
    for old, new in changes:
        assert old in program
        program = program.replace(old, new)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "chat.mjs").write_text(program)
    process = await asyncio.create_subprocess_exec(
        *("node", str(folder / "chat.mjs")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=die_with_parent(),
    )
    assert process.stdout is not None
    text = ""
    try:
        async with asyncio.timeout(START_SECONDS):
            while wanted not in text:
                line = (await process.stdout.readline()).decode()
                assert line, f"it ended with: {text}"
                text += line
    finally:
        if process.returncode is None:
            process.kill()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await process.communicate()
    return text


async def test_they_send_a_message_that_is_stored(
    redis_url: str, tmp_path: Path
) -> None:
    """The ack of it is printed, and the message that everybody in the room gets."""
    async with run_process("--redis-url", redis_url) as node:
        here = (ADDRESS, f"http://localhost:{node.port}")
        assert "message: 1" in await said(tmp_path, "message: 1", here)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([], "Not connected: "),
        ([('{ auth: { user: "alice" } }', "{}")], "Not connected: Development mode"),
        ([("/chat", "/")], "Not connected: "),
        (
            [("{ auth:", '{ extraHeaders: { Origin: "http://x.example" }, auth:')],
            "Not connected: ",
        ),
    ],
    ids=["no server", "no name", "another namespace", "another origin"],
)
async def test_they_say_why_they_do_not_connect(
    redis_url: str, tmp_path: Path, changes: list[tuple[str, str]], why: str
) -> None:
    """Whatever a newcomer gets wrong first is told in a line."""
    async with run_process("--redis-url", redis_url) as node:
        here = f"http://localhost:{node.port}" if changes else NOWHERE
        assert why in await said(tmp_path, why, (ADDRESS, here), *changes)
