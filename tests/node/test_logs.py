"""A log that nobody reads: it must cost lines, never messages."""

import asyncio
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.node.logs import LineHandler, LogWriter
from realtime.redis.valkey_process import die_with_parent
from tests.kit.metrics import scrape
from tests.kit.nodes import READY_LINE, START_SECONDS
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

PIPE_BYTES = 4096
"""A pipe of this size is full after some forty lines."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A small pipe: who reads it, who writes it."""
    fcntl = pytest.importorskip("fcntl")
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def logger_to(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger(f"test {id(handler)}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    return logger


async def test_lines_come_in_order_and_the_last_ones_at_the_end(
    pipe: tuple[int, int],
) -> None:
    """What was logged before the writer is closed is written by then."""
    reader, end = pipe
    with LogWriter(LineHandler(end)) as writer:
        logger = logger_to(writer)
        logger.info("hello %s", "ann")
        try:
            raise ValueError("a defect")
        except ValueError:
            logger.exception("it failed")
    lines = os.read(reader, PIPE_BYTES).decode().splitlines()
    assert lines[:2] == ["hello ann", "it failed"]
    assert lines[-1] == "ValueError: a defect"
    assert writer.limited["log_lines"] == 0


async def test_what_finds_no_place_is_left_out_counted_and_told(
    pipe: tuple[int, int],
) -> None:
    """Logging never waits; once there is place again, the log says what it lacks."""
    reader, end = pipe
    with LogWriter(LineHandler(end), limit=10) as writer:
        logger = logger_to(writer)
        for number in range(500):
            logger.info("%0100d", number)
        assert 0 < writer.limited["log_lines"] < 500
        read = b""

        def told() -> bool:
            nonlocal read
            read += os.read(reader, PIPE_BYTES)
            logger.info("again")
            counts = map(int, re.findall(rb"(\d+) lines were left out", read))
            return b"again\n" in read and sum(counts) == writer.limited["log_lines"]

        await wait_until(told, "there is place again, and all is told")


SMALL_LOG = (
    "from realtime.node import logs\n"
    "logs.LogWriter.__init__.__kwdefaults__['limit'] = 50\n"
    "from realtime.cli import main\n"
    "raise SystemExit(main())\n"
)
"""The command with few lines that may wait."""


async def test_a_node_whose_log_is_not_read_serves_on_and_ends(
    pipe: tuple[int, int], tmp_path: Path, redis_url: str
) -> None:
    """A paused terminal or a full pipe stops the log, and nothing else."""
    _reader, end = pipe
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SMALL_LOG, "serve", "--port", "0"),
        *("--redis-url", redis_url, "--data-dir", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=end,
        env={**os.environ, "CHATROOM_LOG_LEVEL": "debug"},
        preexec_fn=die_with_parent(),
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (found := READY_LINE.search(line := await _line_of(process))):
                assert line, "the node ended"
        port = int(found[1])

        async def lines_are_left_out() -> bool:
            await _log_something(port)
            _, numbers = await scrape(f"http://127.0.0.1:{port}")
            return numbers['chatroom_limited_total{limit="log_lines"}'] > 0

        await wait_until(lines_are_left_out, "the log is full")
        process.terminate()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def _log_something(port: int) -> None:
    """Bring connections that are no HTTP: a line each, at ``debug`` and ``info``."""
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"NO HTTP\r\n\r\n")
        await reader.read()
        writer.close()
