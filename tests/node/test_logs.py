"""A log that nobody reads: it must cost lines, never messages."""

import asyncio
import logging
import os
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from select import select

import pytest

from realtime.node.logs import LineHandler, LogWriter
from realtime.redis.valkey_process import die_with_parent
from tests.kit.metrics import scrape
from tests.kit.nodes import run_process
from tests.kit.waiting import DEADLINE_SECONDS, wait_until
from verify.harness.nodes import READY_LINE
from verify.harness.process import PATIENCE_SECONDS

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


async def test_a_line_that_nobody_reads_holds_no_lock(pipe: tuple[int, int]) -> None:
    """The handler's lock is there, as Python 3.13 needs it, and it is free.

    Whoever wants it while a line waits for its reader has it, as Python does when the
    process ends.
    """
    reader, end = pipe
    handler = LineHandler(end)
    logger = logger_to(handler)
    digits = 3 * PIPE_BYTES
    with ThreadPoolExecutor(1) as thread:
        line = thread.submit(logger.info, "%0*d", digits, 1)
        await wait_until(lambda: select([reader], [], [], 0)[0], "it has begun")
        try:
            assert handler.lock is not None
            assert handler.lock.acquire(blocking=False)
            handler.lock.release()
            assert not line.done()
        finally:
            unread = digits + len("\n")
            while unread:
                unread -= len(os.read(reader, unread))


async def test_a_node_writes_its_log(tmp_path: Path, redis_url: str) -> None:
    """Whatever Python runs it: lines come, with their time, level and origin."""
    flags = ("--redis-url", redis_url, "--data-dir", str(tmp_path))
    async with run_process(*flags, CHATROOM_LOG_LEVEL="debug") as node:
        await _log_something(node.port)
        line = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ (INFO|DEBUG) [\w.]+: \S", re.M)
        await wait_until(lambda: line.search(node.output), "a line is written")


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
        async with asyncio.timeout(PATIENCE_SECONDS):
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
