"""Runs one node from its start to a stop in good order."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace

from aiohttp import web

from realtime.errors import ChatError, StartError
from realtime.node.app import NODE, create_app
from realtime.node.garbage import GarbageCollection
from realtime.node.http_heads import HEAD_LIMIT_BYTES
from realtime.node.http_log import quiet_bad_requests, tell_of_loop_trouble
from realtime.node.listening import bind, listen, page_address
from realtime.node.log_repeats import RepeatFilter
from realtime.node.logs import LineHandler, LogWriter
from realtime.node.settings import Settings
from realtime.node.start_warnings import start_warnings
from realtime.redis.check import check_redis
from realtime.redis.embedded import EmbeddedValkey

STANDARD_ERROR = 2
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Libraries that log each packet at "info", or at "debug" what is in a photo: where it
# was taken, for one.
CHATTY_LOGGERS = ("socketio", "engineio", "PIL")

_logger = logging.getLogger(__name__)


async def serve(settings: Settings, *, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, then close everything in order.

    Args:
        settings: What to run with.
        announce: Called with the page's address once the node serves.

    Raises:
        StartError: when it cannot start, with the reason.
    """
    with _logging(settings.log_level) as writer:
        _cancel_on_signals()
        asyncio.get_running_loop().set_exception_handler(tell_of_loop_trouble)
        for warning in start_warnings(settings):
            _logger.warning("%s", warning)
        try:
            async with AsyncExitStack() as stack:
                # First: what cannot be listened on is said before anything is made.
                sockets = await bind(settings.host, settings.port)
                for each in sockets:
                    stack.callback(each.close)
                garbage = GarbageCollection()
                garbage.start()
                stack.callback(garbage.close)
                runner = await _assemble(settings, stack)
                writer.limited = runner.app[NODE].parts.limited
                stack.push_async_callback(runner.app[NODE].drain)
                arrivals = runner.app[NODE].arrivals
                await listen(runner, sockets, settings.host, arrivals)
                announce(page_address(settings.host, sockets[0].getsockname()[1]))
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            _logger.info("Stopped.")


async def _with_redis(
    settings: Settings, stack: AsyncExitStack
) -> tuple[Settings, EmbeddedValkey | None]:
    """Return the settings with the address of a Redis that fits and answers.

    With the embedded Valkey, where there is no other Redis.
    """
    if settings.redis_url is None:
        valkey = EmbeddedValkey(
            settings.data_dir, least_free_bytes=settings.data_free_bytes
        )
        await valkey.start()
        stack.push_async_callback(valkey.aclose)
        _logger.info(
            "%s the embedded Valkey of %s.",
            "Started" if valkey.owner else "Joined",
            settings.data_dir.resolve(),
        )
        return replace(settings, redis_url=valkey.url), valkey
    await check_redis(
        settings.redis_url,
        timeout_seconds=settings.redis_timeout_seconds,
        durability=settings.durability,
    )
    return settings, None


async def _assemble(settings: Settings, stack: AsyncExitStack) -> web.AppRunner:
    """Make and start all parts; the stack stops them."""
    settings, valkey = await _with_redis(settings, stack)
    try:
        runner = web.AppRunner(
            create_app(settings, valkey),
            access_log=None,
            # aiohttp waits that long for a handler, then as long again.
            shutdown_timeout=settings.shutdown_seconds / 2,
            keepalive_timeout=settings.keepalive_seconds,
            max_line_size=HEAD_LIMIT_BYTES,
            max_field_size=HEAD_LIMIT_BYTES,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        if runner.server is not None:
            runner.app[NODE].doors.guard(runner.server)
    except (ValueError, OSError, ChatError) as error:
        # What a part says of a key, a file or an address that it cannot use.
        _logger.debug("A part does not start.", exc_info=True)
        raise StartError(f"The server cannot start: {error}") from error
    return runner


@contextmanager
def _logging(level: str) -> Iterator[LogWriter]:
    """Log to the standard error without ever waiting for whoever reads it."""
    target = LineHandler(STANDARD_ERROR)
    target.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    with LogWriter(target) as writer:
        writer.addFilter(RepeatFilter(writer.count_repeat))
        root.addHandler(writer)
        root.setLevel(level.upper())
        for name in CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
        quiet_bad_requests()
        try:
            yield writer
        finally:
            root.removeHandler(writer)


def _cancel_on_signals() -> None:
    """Make SIGTERM and SIGINT cancel this task; a second SIGINT ends the process.

    One Ctrl-C may arrive as both signals, from the terminal and from a parent.
    """
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    stopping = False

    def stop() -> None:
        nonlocal stopping
        if task is not None and not stopping:
            stopping = True
            task.cancel()

    def interrupt() -> None:
        if stopping:
            loop.remove_signal_handler(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        stop()

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, interrupt)
