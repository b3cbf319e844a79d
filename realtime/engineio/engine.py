"""The parts of an Engine.IO server: made here, connected here, and only here."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

from realtime.addresses import Addresses
from realtime.engineio.admission import Admission
from realtime.engineio.closing import ClosingConnections, UnfetchedPackets
from realtime.engineio.context import Context
from realtime.engineio.cork import Cork
from realtime.engineio.dispatch import Dispatcher
from realtime.engineio.handler_tasks import HandlerTasks
from realtime.engineio.heartbeat import Heartbeat
from realtime.engineio.held_bytes import HeldBytes
from realtime.engineio.interfaces import UpgradingSession
from realtime.engineio.options import Options
from realtime.engineio.origins import OriginPolicy
from realtime.engineio.registry import SessionRegistry
from realtime.engineio.timers import TimeoutQueue, Timers


class Engine:
    """All parts of one server, for the modules that answer its requests.

    Args:
        options: The server's settings.
        new_sid: Makes session ids.
        logger: Where handlers' failures go.
        json_loads: Decoder of text messages; None: they stay text.
        async_handlers: Whether the messages of one session may be handled side by
            side.
        addresses: Where connections come from.
        limited: Counts how often a limit was met.
    """

    def __init__(
        self,
        options: Options,
        *,
        new_sid: Callable[[], str],
        logger: logging.Logger,
        json_loads: Callable[[str], Any] | None,
        async_handlers: bool,
        addresses: Addresses,
        limited: Counter[str],
    ) -> None:
        self.options = options
        self.new_sid = new_sid
        self.limited = limited
        self.timers = Timers()
        self.tasks = HandlerTasks()
        self.admission = Admission(options, addresses, limited)
        self.origins = OriginPolicy(
            options.cors_allowed_origins,
            credentials=options.cors_credentials,
            trusts=addresses.is_trusted,
        )
        self.dispatcher = Dispatcher(
            self.tasks,
            logger=logger,
            async_handlers=async_handlers,
            json_loads=json_loads,
        )
        heartbeat = Heartbeat(
            self.timers,
            interval=options.interval_seconds,
            timeout=options.ping_timeout,
            enforced=options.monitor_clients,
        )
        upgrades: TimeoutQueue[UpgradingSession] = TimeoutQueue(
            self.timers,
            options.upgrade_timeout,
            lambda session, _due: session.time_out_upgrade(),
        )
        self.registry = SessionRegistry(
            heartbeat=heartbeat,
            upgrades=upgrades,
            admission=self.admission,
            dispatcher=self.dispatcher,
            limited=limited,
        )
        self.sessions = self.registry.sessions
        self.cork = Cork()
        self.held_bytes = HeldBytes(limited)
        self.context = Context(
            options=options,
            limited=limited,
            held_bytes=self.held_bytes,
            cork=self.cork,
            dispatcher=self.dispatcher,
            heartbeat=heartbeat,
            upgrades=upgrades,
            closing=ClosingConnections(self.timers, options.close_timeout),
            unfetched=UnfetchedPackets(self.timers, options.close_timeout),
            registry=self.registry,
        )

    def held(self) -> dict[str, int]:
        """Return what the engine holds for its connections, counted by kind."""
        addresses = self.admission.addresses
        return {
            "engine_sessions": len(self.sessions),
            "engine_tasks": len(self.tasks),
            "engine_deadlines": len(self.timers),
            "engine_closing": len(self.context.closing),
            "engine_ends": self.dispatcher.unannounced,
            "engine_lingering": len(self.context.unfetched),
            "engine_corked": len(self.cork.frames),
            "addresses": len(addresses),
            "attempts_waiting": self.admission.waiting,
            "stranger_bytes": self.held_bytes.total,
            "strangers": addresses.unauthenticated,
        }
