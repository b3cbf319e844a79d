"""The pieces of docs/clients.md that a machine here can run do what they say."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from realtime.auth.tokens import make_token
from realtime.redis.valkey_process import die_with_parent
from tests.kit.backend import SECRET
from tests.kit.javascript import NODE_MODULES, ROOT, require_node
from tests.kit.members import all_see, member
from tests.kit.nodes import run_nodes
from tests.kit.waiting import MS

PAGE = ROOT / "docs" / "clients.md"
START_SECONDS = 60_000 * MS


def piece(language: str) -> str:
    """Return the first code of a language on the page."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@asynccontextmanager
async def running(
    *command: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        preexec_fn=die_with_parent(),
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says(process: asyncio.subprocess.Process, wanted: str) -> None:
    """Wait until a program says something."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(START_SECONDS):
        while wanted not in said:
            line = (await process.stdout.readline()).decode()
            assert line, f"it ended with: {said}"
            said += line


async def test_the_python_client_reads_and_sends(
    redis_url: str, tmp_path: Path
) -> None:
    """What was there before, what comes, and its own message."""
    program = tmp_path / "client.py"
    program.write_text(piece("python"))
    async with run_nodes(1, redis_url, jwt_secret=SECRET) as (node,):
        ann_token = make_token("ann", secret=SECRET)
        async with member(node, "ann", "42", token=ann_token) as ann:
            await ann.send("before")
            token = make_token("bob", secret=SECRET)
            settings = {"URL": node.url, "ROOM": "42", "TOKEN": token}
            async with running(sys.executable, str(program), **settings) as bob:
                await says(bob, "ann: before")
                await all_see([ann], ["before", "hello from Python"])
                await ann.send("after")
                await says(bob, "ann: after")


async def test_the_javascript_client_reads_and_sends(
    redis_url: str, tmp_path: Path
) -> None:
    """With a token that the page's own lines have made."""
    require_node()
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "mint.mjs").write_text(piece("mjs"))
    (tmp_path / "chat.mjs").write_text(piece("js"))
    (tmp_path / "main.mjs").write_text(
        "const [url, token] = process.argv.slice(2);\n"
        'globalThis.settings = { url, room: "42", getToken: async () => token };\n'
        'const { send } = await import("./chat.mjs");\n'
        'console.log("sent", await send("hello from Node"));\n'
    )
    async with run_nodes(1, redis_url, jwt_secret=SECRET) as (node,):
        async with running("node", str(tmp_path / "mint.mjs"), "bob", SECRET) as mint:
            token = (await mint.communicate())[0].decode().strip()
        ann_token = make_token("ann", secret=SECRET)
        async with member(node, "ann", "42", token=ann_token) as ann:
            await ann.send("before")
            main = str(tmp_path / "main.mjs")
            async with running("node", main, node.url, token) as bob:
                await says(bob, "ann: before")
                await all_see([ann], ["before", "hello from Node"])
                await ann.send("after")
                await says(bob, "ann: after")
