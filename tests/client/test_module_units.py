"""The own tests of client package and page, which need no server."""

import asyncio

import pytest

from tests.kit.javascript import CLIENT, NODE_MODULES, WEB, require_node

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
    tests = (each.glob("test/*.test.js") for each in (CLIENT, WEB))
    files = sorted(str(file) for folder in tests for file in folder)
    # Named: the usual reporter is another one since Node 23.
    told = ("--test", "--test-reporter=tap")
    printed = await run("node", "--no-warnings", *told, *files)
    assert "# fail 0" in printed


async def test_types_are_consistent() -> None:
    """The types of the page agree with their use, and with the package's."""
    require_node()
    compiler = NODE_MODULES / "typescript" / "bin" / "tsc"
    # Those of the package were looked at when it was built.
    await run("node", str(compiler), "--noEmit")
