"""Runs one node from its start to a stop in good order."""

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import replace

from aiohttp import web

from realtime.errors import ChatError, StartError
from realtime.node.app import NODE, create_app
from realtime.node.garbage import GarbageCollection
from realtime.node.http_log import quiet_bad_requests
from realtime.node.logs import LineHandler, LogWriter
from realtime.node.settings import Settings
from realtime.redis.check import check_redis
from realtime.redis.embedded import EmbeddedValkey

# How long a connection may be idle, or take for the head of its request: longer than
# proxies keep theirs (60 s), so that it is they who close. aiohttp allows an hour.
KEEPALIVE_SECONDS = 75.0
# Connections that may wait to be taken. When a node dies, thousands come to the others
# within a second; what does not find a place tries again after one second, then three.
LISTEN_BACKLOG = 4096
# Connections taken in one turn of the event loop, each some 0.2 ms of work with its
# request: whoever is connected already is served between them.
ACCEPTS_A_TURN = 16
STANDARD_ERROR = 2
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Libraries that log each packet at "info", or at "debug" what is in a photo: where it
# was taken, for one.
CHATTY_LOGGERS = ("socketio", "engineio", "PIL")

log = logging.getLogger(__name__)


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
        try:
            async with AsyncExitStack() as stack:
                garbage = GarbageCollection()
                garbage.start()
                stack.callback(garbage.close)
                runner = await _assemble(await _with_redis(settings, stack), stack)
                writer.limited = runner.app[NODE].parts.limited
                stack.push_async_callback(runner.app[NODE].drain)
                await _listen(runner, settings)
                announce(_address(settings.host, runner.addresses[0][1]))
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.info("Stopped.")


async def _with_redis(settings: Settings, stack: AsyncExitStack) -> Settings:
    """Return the settings with the address of a Redis that fits and answers."""
    if settings.redis_url is None:
        valkey = EmbeddedValkey(settings.data_dir)
        await valkey.start()
        stack.push_async_callback(valkey.aclose)
        log.info(
            "%s the embedded Valkey of %s.",
            "Started" if valkey.owner else "Joined",
            settings.data_dir.resolve(),
        )
        return replace(settings, redis_url=valkey.url)
    await check_redis(
        settings.redis_url,
        timeout_seconds=settings.redis_timeout_seconds,
        durability=settings.durability,
    )
    return settings


async def _assemble(settings: Settings, stack: AsyncExitStack) -> web.AppRunner:
    """Make and start all parts; the stack stops them."""
    try:
        runner = web.AppRunner(
            create_app(settings),
            access_log=None,
            shutdown_timeout=settings.shutdown_seconds,
            keepalive_timeout=KEEPALIVE_SECONDS,
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        if runner.server is not None:
            runner.app[NODE].http_doors().guard(runner.server)
    except (ValueError, OSError, ChatError) as error:
        # What a part says of a key, a file or an address that it cannot use.
        log.debug("A part does not start.", exc_info=True)
        raise StartError(f"The server cannot start: {error}") from error
    return runner


@contextmanager
def _logging(level: str) -> Iterator[LogWriter]:
    """Log to the standard error without ever waiting for whoever reads it."""
    target = LineHandler(STANDARD_ERROR)
    target.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    with LogWriter(target) as writer:
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


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        for made in await _sockets(settings.host, settings.port):
            await web.SockSite(runner, made, backlog=ACCEPTS_A_TURN).start()
            # asyncio takes the one number for both: what waits, and what it takes.
            made.listen(LISTEN_BACKLOG)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise StartError(
                f"{where} is in use by another program; choose another --port."
            ) from error
        raise StartError(f"{where} cannot be listened on: {error}") from error


async def _sockets(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket for each address of a host.

    Raises:
        OSError: One of them cannot be had; those before it are closed.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with ExitStack() as stack:
        made = []
        for family, kind, protocol, _name, address in dict.fromkeys(found):
            one = stack.enter_context(socket.socket(family, kind, protocol))
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # The addresses of IPv4 have a socket of their own.
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            made.append(one)
        stack.pop_all()
    return made


def _address(host: str, port: int) -> str:
    """Return what to type into a browser on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"http://{host}:{port}"
    if address.is_unspecified or address.is_loopback:
        host = "localhost"
    elif address.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}"
