"""The client module's own tests, which need no server."""

import asyncio

import pytest

from tests.kit.javascript import WEB, require_node

pytestmark = pytest.mark.timeout(90)


async def run(*command: str) -> str:
    """Run a command of the web client and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=WEB,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _none = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_outbox_rooms_marks_and_connection() -> None:
    """`node --test` passes: order, retries, cursors, holes, bounds, tokens."""
    require_node()
    files = sorted(str(file) for file in (WEB / "test").glob("*.test.js"))
    # Named: the usual reporter is another one since Node 23.
    told = ("--test", "--test-reporter=tap")
    printed = await run("node", "--no-warnings", *told, *files)
    assert "# fail 0" in printed


async def test_types_are_consistent() -> None:
    """The JSDoc types of module and page agree with their use."""
    require_node()
    compiler = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    await run("node", str(compiler), "--noEmit")
