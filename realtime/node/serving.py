"""Runs one node from its start to a stop in good order."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from dataclasses import replace

from aiohttp import web

from realtime.errors import ChatError, StartError
from realtime.node.app import NODE, create_app
from realtime.node.garbage import GarbageCollection
from realtime.node.http_heads import HEAD_LIMIT_BYTES
from realtime.node.http_log import quiet_bad_requests
from realtime.node.listening import OwnPort
from realtime.node.log_setup import log_to_standard_error
from realtime.node.settings import Settings
from realtime.node.start_warnings import start_warnings
from realtime.redis.embedded import EmbeddedValkey
from realtime.redis.site import check_site

_logger = logging.getLogger(__name__)


async def serve(settings: Settings, port: OwnPort) -> None:
    """Serve until SIGTERM or SIGINT, then close everything in order.

    Args:
        settings: What to run with.
        port: How connections come.

    Raises:
        StartError: when it cannot start, with the reason.
    """
    with log_to_standard_error(
        settings.log_level, port.name, shape=settings.log_format
    ) as writer:
        quiet_bad_requests()
        _cancel_on_signals()
        for warning in start_warnings(settings):
            if port.tells_warnings:
                _logger.warning("%s", warning)
        try:
            async with AsyncExitStack() as stack:
                # First: what cannot be listened on is said before anything is made.
                await port.take(stack)
                garbage = GarbageCollection()
                garbage.start()
                stack.callback(garbage.close)
                runner = await _assemble(settings, stack, port)
                parts = runner.app[NODE].parts
                writer.limited = parts.limited
                writer.context["node"] = parts.id
                stack.push_async_callback(port.close)
                stack.push_async_callback(runner.app[NODE].drain)
                await port.open(runner)
                stack.push_async_callback(port.leave)
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
    for warning in await check_site(
        settings.redis_url,
        timeout_seconds=settings.redis_timeout_seconds,
        durability=settings.durability,
    ):
        _logger.warning("%s", warning)
    return settings, None


async def _assemble(
    settings: Settings, stack: AsyncExitStack, port: OwnPort
) -> web.AppRunner:
    """Make and start all parts; the stack stops them."""
    settings, valkey = await _with_redis(settings, stack)
    try:
        runner = web.AppRunner(
            create_app(settings, valkey, port.neighbours),
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
