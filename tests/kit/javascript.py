"""Programs in Node as processes of a test, spoken to in JSON lines."""

import asyncio
import functools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from realtime.redis.valkey_process import die_with_parent
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "clients"
WEB = CLIENTS / "js-demo"
CLIENT = CLIENTS / "chat-client"
# Of page and client package together.
NODE_MODULES = CLIENTS / "node_modules"
# The first with `crypto` in its global object, as browsers have it.
OLDEST_NODE = 20
# A program that fails prints a stack; more of it helps nobody.
KEPT_ERROR_BYTES = 8_000
# An event with an image's bytes in it, in JSON.
LINE_LIMIT_BYTES = 4 * 2**20


def cannot_run(reason: str) -> None:
    """Skip the test with its reason; where everything must run, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def require_node() -> None:
    """Skip (or fail) without Node or the client package as `make page` builds it."""
    if shutil.which("node") is None:
        cannot_run("node is not installed")
    if (version := _node_version()) < OLDEST_NODE:
        cannot_run(f"Node {OLDEST_NODE} or newer is needed; this is {version}")
    if not (CLIENT / "dist" / "index.js").is_file():
        cannot_run("the client package is not built: run `make page`")


@functools.cache
def _node_version() -> int:
    command = ["node", "-p", "process.versions.node.split('.')[0]"]
    return int(subprocess.run(command, check=True, capture_output=True).stdout)


class Program:
    """A running program: what it said, and a way to tell it something."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[dict[str, Any]] = []
        self._errors = bytearray()
        self._reading = [
            asyncio.create_task(self._read(), name="program-output"),
            asyncio.create_task(self._read_errors(), name="program-errors"),
        ]

    def tell(self, do: str, **details: Any) -> None:
        """Send one command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **details}).encode() + b"\n")

    def all(self, event: str) -> list[dict[str, Any]]:
        """Return everything of this name that it has said so far."""
        return [line for line in self.said if line["event"] == event]

    def last(self, event: str) -> dict[str, Any]:
        """Return the latest of this name, or nothing to be found in it."""
        return next((one for one in reversed(self.said) if one["event"] == event), {})

    async def until(
        self,
        condition: Callable[[], object],
        description: str,
        *,
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        """Wait for what it is to say; fail at once when it has ended instead."""

        def holds() -> object:
            assert self._process.returncode is None, f"it ended:\n{self.errors}"
            return condition()

        try:
            await wait_until(holds, description, seconds=seconds)
        except AssertionError as error:
            last = "\n".join(json.dumps(line)[:300] for line in self.said[-15:])
            raise AssertionError(f"{error}\n{last}\n{self.errors}") from None

    async def heard(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait for the ``count``-th event of a name and return it."""
        await self.until(lambda: len(self.all(event)) >= count, f"{count}. {event}")
        return self.all(event)[count - 1]

    async def ended(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Wait for its end and return the exit code."""
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._reading)
            return await self._process.wait()

    @property
    def errors(self) -> str:
        """What it wrote to its error output."""
        return self._errors.decode(errors="replace")

    async def aclose(self) -> None:
        """End it, if it has not ended."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(json.loads(line))

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(KEPT_ERROR_BYTES):
            self._errors += chunk
            del self._errors[:-KEPT_ERROR_BYTES]


@asynccontextmanager
async def run_program(script: Path, *arguments: str) -> AsyncIterator[Program]:
    """Run a script in Node until the block ends."""
    program = Program(
        await asyncio.create_subprocess_exec(
            "node",
            "--no-warnings",
            str(script),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_LIMIT_BYTES,
            preexec_fn=die_with_parent(),
        )
    )
    try:
        yield program
    finally:
        await program.aclose()
