"""The loop that stays fair, and the log that strangers cannot fill."""

import asyncio
import gc
import logging
import socket
from collections.abc import Iterator

import pytest
from aiohttp.http_exceptions import BadStatusLine

from realtime.engineio.event_loop import (
    EVENTS_A_TURN,
    FairSelector,
    Transport,
    new_event_loop,
)
from realtime.node.http_log import BadRequestFilter
from tests.kit.waiting import DEADLINE_SECONDS

PAIRS = EVENTS_A_TURN * 2 + 10


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """Connected sockets, more than one turn serves."""
    made = [socket.socketpair() for _ in range(PAIRS)]
    yield made
    for pair in made:
        for each in pair:
            each.close()


def test_a_lost_connection_is_freed_without_the_garbage_collector() -> None:
    """Thousands of them would wait for it, and make it block the loop."""

    async def open_and_lose() -> list[object]:
        async with await asyncio.start_server(
            lambda _reader, writer: writer.close(), "127.0.0.1", 0
        ) as server:
            address = server.sockets[0].getsockname()
            for _ in range(20):
                reader, writer = await asyncio.open_connection(*address)
                assert isinstance(writer.transport, Transport)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
        return transports()

    def transports() -> list[object]:
        kind = Transport
        return [each for each in gc.get_objects() if isinstance(each, kind)]

    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            # The last one may be in the frames and callbacks of this very moment.
            assert len(runner.run(open_and_lose())) <= 2
    finally:
        gc.enable()


def test_ready_connections_are_served_in_turn(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    """Each turn is bounded, and those always ready do not keep out the others."""
    selector = FairSelector()
    try:
        for ours, theirs in pairs:
            selector.register(ours, 1)
            theirs.send(b"x")
        turns = [selector.select(0) for _ in range(4)]
        assert {len(turn) for turn in turns} == {EVENTS_A_TURN}
        served = {key.fd for turn in turns for key, _events in turn}
        assert served == {ours.fileno() for ours, _theirs in pairs}
    finally:
        selector.close()


def test_thousands_of_lost_connections_let_timers_run(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    """A timer has its turn before the last of them is handled."""
    lost: list[int] = []
    seen: list[int] = []

    async def lose_all() -> None:
        loop = asyncio.get_running_loop()

        def handle(number: int) -> None:
            loop.remove_reader(number)
            lost.append(number)

        for ours, theirs in pairs:
            ours.setblocking(False)
            loop.add_reader(ours, handle, ours.fileno())
            theirs.close()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(lost) < PAIRS:
                await asyncio.sleep(0)
                seen.append(len(lost))

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(lose_all())
    assert len(lost) == PAIRS
    assert any(0 < count < PAIRS for count in seen)


def test_malformed_requests_are_no_errors() -> None:
    """A stack trace remains for what is the server's own fault."""
    logger = logging.getLogger("aiohttp.server")
    quiet = BadRequestFilter()

    def record(error: Exception) -> logging.LogRecord:
        return logger.makeRecord(
            logger.name,
            logging.ERROR,
            __file__,
            1,
            "Error handling request from %s",
            ("somebody",),
            (type(error), error, None),
        )

    theirs = record(BadStatusLine("junk"))
    quiet.filter(theirs)
    assert theirs.exc_info is None
    assert theirs.levelno == logging.INFO
    assert "somebody" in theirs.getMessage()
    ours = record(RuntimeError("bug"))
    assert quiet.filter(ours)
    assert ours.exc_info is not None
