"""The supervisor: it has the port, the table and the embedded Valkey, and no clients.

It imports none of the modules that serve, so that it stays small, and so that workers
which are started later are of the version that is installed then.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from realtime.errors import StartError
from realtime.node.binding import bind, page_address
from realtime.node.log_setup import log_to_standard_error
from realtime.node.settings import Settings
from realtime.node.settings_io import PREFIX
from realtime.redis.embedded import EmbeddedValkey
from realtime.tasks import end_task
from realtime.workers import notify
from realtime.workers.crew import Crew
from realtime.workers.table import TROUBLES, Table
from realtime.workers.tokens import make_pipe

# How often the workers are looked at.
LOOK_SECONDS: Final = 0.1

_logger = logging.getLogger(__name__)


async def supervise(
    settings: Settings,
    flags: Mapping[str, str],
    *,
    announce: Callable[[str], None],
) -> None:
    """Serve with several workers until SIGTERM or SIGINT; SIGHUP replaces them.

    Args:
        settings: What to run with.
        flags: Those that were given on the command line, by setting.
        announce: Called with the page's address once all workers serve.

    Raises:
        StartError: It cannot start, or no worker can be kept alive.
    """
    if sys.platform != "linux":
        raise StartError("More than one worker need Linux; leave --workers out.")
    shape = settings.log_format
    with log_to_standard_error(settings.log_level, "supervisor", shape=shape):
        signals = _Signals()
        async with AsyncExitStack() as stack:
            sockets = await _take_port(settings, stack)
            environment = _environment(flags)
            port = sockets[0][0].getsockname()[1]
            environment[f"{PREFIX}PORT"] = str(port)
            valkey = await _valkey(settings, stack)
            if valkey is not None:
                environment[f"{PREFIX}REDIS_URL"] = valkey.url
            table, descriptor = Table.make(settings.workers)
            stack.callback(os.close, descriptor)
            places = make_pipe()
            for each in places:
                stack.callback(os.close, each)
            crew = Crew(
                table,
                descriptor,
                sockets=[[one.fileno() for one in slot] for slot in sockets],
                places=places,
                folder=_folder(stack),
                environment=environment,
                end_seconds=settings.drain_seconds + settings.shutdown_seconds,
            )
            stack.push_async_callback(crew.end)
            if await signals.unless_stopped(crew.start()):
                announce(page_address(settings.host, port))
                await _look_on(crew, table, valkey, signals)
            notify.notify(notify.STOPPING)
        _logger.info("Stopped.")


async def _look_on(
    crew: Crew, table: Table, valkey: EmbeddedValkey | None, signals: "_Signals"
) -> None:
    """Keep the workers alive until it is to end."""
    pause = notify.watchdog_seconds()
    alive_due = 0.0
    while not signals.stop.is_set():
        if signals.reload.is_set():
            signals.reload.clear()
            crew.reload()
        trouble = None if valkey is None else valkey.trouble
        table.head.trouble = TROUBLES.index(trouble)
        await crew.look()
        now = time.monotonic()
        if pause is not None and now >= alive_due and crew.is_alive:
            notify.notify(notify.ALIVE)
            alive_due = now + pause
        await signals.wait(LOOK_SECONDS)


class _Signals:
    """What this process is told from outside."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        # A terminal that is closed sends the same signal.
        hang_up = self.stop if sys.stdin is not None and sys.stdin.isatty() else None
        loop.add_signal_handler(signal.SIGHUP, (hang_up or self.reload).set)

    async def wait(self, seconds: float) -> None:
        """Return after a while, or when it is to end."""
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return

    async def unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do something; return False if it is to end before that is done."""
        doing = asyncio.create_task(work)
        stopping = asyncio.create_task(self.stop.wait())
        try:
            await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await doing
            return not self.stop.is_set()
        finally:
            await end_task(stopping)
            await end_task(doing)


async def _take_port(
    settings: Settings, stack: AsyncExitStack
) -> list[list[socket.socket]]:
    """Return the sockets of each slot; the kernel spreads connections over them."""
    # Sockets that share a port would be bound beside another server's silently.
    probe = await bind(settings.host, settings.port)
    port = probe[0].getsockname()[1]
    for each in probe:
        each.close()
    made = []
    for _ in range(settings.workers):
        made.append(await bind(settings.host, port, shared=True))
        for each in made[-1]:
            stack.callback(each.close)
    return made


async def _valkey(settings: Settings, stack: AsyncExitStack) -> EmbeddedValkey | None:
    if settings.redis_url is not None:
        return None
    valkey = EmbeddedValkey(
        settings.data_dir, least_free_bytes=settings.data_free_bytes
    )
    await valkey.start()
    stack.push_async_callback(valkey.aclose)
    return valkey


def _environment(flags: Mapping[str, str]) -> dict[str, str]:
    own = notify.OWN_VARIABLES
    inherited = {name: text for name, text in os.environ.items() if name not in own}
    given = {PREFIX + name.upper(): text for name, text in flags.items()}
    return {**inherited, **given}


def _folder(stack: AsyncExitStack) -> Path:
    """Return a folder of this user alone, for the workers' sockets."""
    # Of systemd, which may name several.
    parent = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or None
    folder = tempfile.mkdtemp(prefix="chatroom-workers-", dir=parent)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
