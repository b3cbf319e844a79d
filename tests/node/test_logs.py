"""A log that nobody reads: it must cost lines, never messages."""

import asyncio
import json
import logging
import os
import re
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from select import select

import pytest

from realtime.node.log_json import JsonFormatter
from realtime.node.log_repeats import (
    LINES_A_PERIOD,
    PERIOD_SECONDS,
    RepeatFilter,
)
from realtime.node.logs import LineHandler, LogWriter
from realtime.redis.valkey_process import die_with_parent
from tests.kit.clock import Clock
from tests.kit.metrics import scrape
from tests.kit.nodes import NAMESPACE, client, run_process
from tests.kit.waiting import DEADLINE_SECONDS, wait_until
from verify.harness.nodes import READY_LINE
from verify.harness.process import PATIENCE_SECONDS

# A pipe of this size is full after some forty lines.
PIPE_BYTES = 4096


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


# The command with few lines that may wait.
SMALL_LOG = (
    "from realtime.node import log_repeats, logs\n"
    "log_repeats.LINES_A_PERIOD = 1_000_000\n"
    "logs.LogWriter.__init__.__kwdefaults__['limit'] = 50\n"
    "from realtime.cli import main\n"
    "raise SystemExit(main())\n"
)


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


def test_lines_of_one_kind_are_shown_a_few_times_and_counted(
    pipe: tuple[int, int],
) -> None:
    """Strangers cannot fill the log; other lines are shown, and nothing goes untold."""
    reader, end = pipe
    clock = Clock()
    with LogWriter(LineHandler(end)) as writer:
        writer.addFilter(RepeatFilter(writer.count_repeat, clock))
        logger = logger_to(writer)

        def refuse(number: int) -> None:
            logger.warning("refused %d", number)

        for number in range(1_000):
            refuse(number)
        logger.warning("something else")
        clock.now += PERIOD_SECONDS
        refuse(1_000)
        refuse(1_001)
    lines = os.read(reader, PIPE_BYTES).decode().splitlines()
    assert lines == [
        *(f"refused {number}" for number in range(LINES_A_PERIOD)),
        "something else",
        f"refused 1000 ({1_000 - LINES_A_PERIOD} more lines like this one)",
        "refused 1001",
    ]
    assert writer.limited["log_repeats"] == 1_000 - LINES_A_PERIOD


async def test_a_flood_of_strangers_costs_a_few_lines(redis_url: str) -> None:
    """Malformed requests are told of, a handful of times."""
    async with run_process("--redis-url", redis_url) as node:
        for _ in range(100):
            await _say(node.port, b"GET / HTTP/1.1\r\nno header\r\n\r\n")
        _, numbers = await scrape(node.url)
        assert numbers['chatroom_limited_total{limit="log_repeats"}'] == 90
        node.terminate()
        await node.ended()
        assert node.output.count("Malformed HTTP request") == 10


async def test_a_node_without_descriptors_says_so_in_a_line(redis_url: str) -> None:
    """At the start what the settings would need; then that nobody can be let in."""
    async with run_process("--redis-url", redis_url) as node, AsyncExitStack() as stack:
        assert "files open, and the settings allow connections that need" in node.output
        resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (60, 60))
        for _ in range(100):
            _reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
            stack.callback(writer.close)
        await wait_until(
            lambda: "No connection can be taken: Too many open files" in node.output,
            "the log says so",
        )
        assert "Traceback" not in node.output


async def test_key_sets_without_an_audience_are_warned_of(redis_url: str) -> None:
    """Whoever has an account at the same provider would be let in without a word."""
    url = "https://keys.invalid/jwks.json"
    said = "CHATROOM_JWKS_URL is set without CHATROOM_JWT_AUDIENCE"
    arguments = ("--redis-url", redis_url)
    async with run_process(*arguments, CHATROOM_JWKS_URL=url) as node:
        assert node.output.count(said) == 1
    async with run_process(
        *arguments, CHATROOM_JWKS_URL=url, CHATROOM_JWT_AUDIENCE="chat"
    ) as node:
        assert said not in node.output


async def _line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def _log_something(port: int) -> None:
    """Bring connections that are no HTTP: a line each, at ``debug`` and ``info``."""
    for _ in range(20):
        await _say(port, b"NO HTTP\r\n\r\n")


async def _say(port: int, raw: bytes) -> None:
    """Send bytes on a connection of their own, and wait for its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    await reader.read()
    writer.close()


def test_lines_of_json_are_for_programs(pipe: tuple[int, int]) -> None:
    """One event a line: when, how bad, of which kind and of whom; whatever is in it."""
    reader, end = pipe
    clock = Clock()
    with LogWriter(LineHandler(end), limit=1_000) as writer:
        writer.context["worker"] = "1"
        writer.setFormatter(JsonFormatter(writer.context))
        writer.addFilter(RepeatFilter(writer.count_repeat, clock))
        logger = logger_to(writer)
        for room in range(LINES_A_PERIOD + 5):
            logger.warning("Room %s lost %d%% of what was written", room, 7)
            if room == LINES_A_PERIOD + 3:
                clock.now += PERIOD_SECONDS
        writer.context["node"] = "a1"
        try:
            raise ValueError('a "defect"\nin lines')
        except ValueError:
            logger.exception("send of session %s failed", "s1\udc80")
    lines = os.read(reader, 16 * PIPE_BYTES).decode().splitlines()
    first, *_, last, failure = map(json.loads, lines)
    moment = datetime.fromisoformat(first.pop("ts"))
    assert abs(time.time() - moment.timestamp()) < DEADLINE_SECONDS
    assert first == {
        "level": "warning",
        "event": "Room %s lost %d%% of what was written",
        "message": "Room 0 lost 7% of what was written",
        "logger": logger.name,
        "room": "0",
        "worker": "1",
    }
    # Of the same kind, though it tells of others.
    assert last["event"] == first["event"]
    assert last["message"].endswith("(4 more lines like this one)")
    assert failure["session"] == "s1\udc80"
    assert (failure["node"], failure["worker"]) == ("a1", "1")
    assert failure["exception"].endswith('ValueError: a "defect"\nin lines')


async def test_a_node_logs_json_and_no_contents(redis_url: str) -> None:
    """Each line can be parsed and says which node; none has a word of a message."""
    async with run_process(
        "--redis-url", redis_url, CHATROOM_LOG_FORMAT="json", CHATROOM_LOG_LEVEL="debug"
    ) as node:
        async with client(node, "ann") as ann:
            await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
            text = {"type": "text", "text": "a secret", "clientId": "1"}
            await ann.call("send", {"room": "42", **text}, namespace=NAMESPACE)
        await _log_something(node.port)
        node.terminate()
        await node.ended()
        lines = [line for line in node.output.splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    assert told[-1]["message"] == "Stopped."
    assert re.fullmatch("[0-9a-f]{12}", told[-1]["node"])
    assert all(each.keys() >= {"ts", "level", "event", "message"} for each in told)
    assert "a secret" not in node.output
