"""One node: its parts are started and ended here, and it is served over HTTP."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Protocol

from aiohttp import hdrs, web

from handlers import register
from handlers.chat import NAMESPACE, ChatNamespace
from handlers.http import add_routes
from handlers.images import image_routes
from realtime.images.service import Images
from realtime.node.connection_limit import HttpDoors
from realtime.node.holdings import count_objects
from realtime.node.log_counts import LogCounts
from realtime.node.loop_lag import LoopLag
from realtime.node.metrics import Metrics
from realtime.node.outage import OutageWatch
from realtime.node.process_metrics import ProcessMetrics
from realtime.node.settings import Settings
from realtime.node.shutdown import Drain
from realtime.node.wiring import Parts, image_sweep, make_services
from realtime.presence.node_leases import NodeLease
from realtime.services import Services


class Node:
    """One node, from its start to its end.

    Args:
        settings: What it runs with; ``redis_url`` must be set.
    """

    def __init__(self, settings: Settings) -> None:
        self.parts = Parts(settings)
        self._services: Services | None = None
        self._namespace: ChatNamespace | None = None
        self._metrics: Metrics | None = None
        self._lease: NodeLease | None = None
        self._lag = LoopLag()
        self._log = LogCounts()
        self._process: ProcessMetrics | None = None
        self._draining = False

    @property
    def images(self) -> Images:
        """The images; there are none before the start."""
        if self._services is None:
            raise web.HTTPServiceUnavailable
        return self._services.images

    def http_doors(self) -> HttpDoors:
        """Return what keeps one address from holding any number of connections."""
        settings = self.parts.settings

        def refused() -> None:
            self.parts.limited["address_connections"] += 1

        return HttpDoors(
            self.parts.addresses.peer_name,
            at_most=settings.address_sessions + settings.address_unauthenticated,
            refused=refused,
        )

    def not_ready(self) -> list[str]:
        """Return why the node cannot serve right now; empty if it can."""
        reasons = []
        if self._draining:
            reasons.append("The node is going down.")
        # Everybody may ask; the addresses and the words of Redis are in the log.
        if not self.parts.link.healthy:
            reasons.append("Redis commands: no answer.")
        elif self._lease is not None and self._lease.is_refused:
            reasons.append("Redis commands: refused.")
        if not self.parts.manager.subscriber.ready:
            reasons.append("Redis Pub/Sub: not subscribed.")
        return reasons

    def metrics_text(self) -> bytes:
        """Return the node's numbers; there are none before the start."""
        if self._metrics is None or self._process is None:
            raise web.HTTPServiceUnavailable
        return self._metrics.text() + self._process.text()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Start all parts; after the ``yield`` end them in the opposite order."""
        parts = self.parts
        async with AsyncExitStack() as stack:
            stack.enter_context(self._log)
            self._lag.start()
            stack.callback(self._lag.close)
            _start(stack, parts.link)
            stack.push_async_callback(parts.durability.aclose)
            _start(stack, parts.manager, parts.counts, parts.user_rates)
            services = await make_services(parts)
            stack.push_async_callback(services.auth.aclose)
            stack.push_async_callback(services.sessions.aclose)
            stack.push_async_callback(services.images.aclose)
            _start(stack, image_sweep(parts, services))
            lease = self._lease = NodeLease(
                parts.link,
                node=parts.id,
                presence=parts.presence,
                relist=parts.lists.relist,
                reconcile=parts.lists.reconcile,
                lease_seconds=parts.settings.lease_seconds,
            )
            _start(stack, parts.lists, lease)
            namespace = register(parts.server, services)
            self._namespace, self._services = namespace, services
            self._metrics = self._make_metrics(namespace, services)
            self._process = ProcessMetrics(
                self._lag,
                objects=lambda: count_objects(
                    parts, services, requests=namespace.held()
                ),
            )
            stack.push_async_callback(parts.server.shutdown)
            outage = OutageWatch(
                is_up=lambda: parts.link.healthy and parts.manager.subscriber.ready,
                tell=lambda up: self._tell(None, "service", {"available": up}),
                clock=time.monotonic,
            )
            _start(stack, outage)
            yield

    def _make_metrics(self, namespace: ChatNamespace, services: Services) -> Metrics:
        manager = self.parts.manager
        return Metrics(
            gauges={
                "sessions": lambda: len(services.sessions),
                "unauthenticated": lambda: self.parts.addresses.strangers,
                "rooms": lambda: len(manager.feeds),
                "requests": lambda: namespace.under_way,
                "redis_calls": lambda: self.parts.link.under_way,
                "redis_up": lambda: self.parts.link.healthy,
                "pubsub_up": lambda: manager.subscriber.ready,
                "fan_out_backlog": lambda: manager.delivery.total_backlog,
            },
            errors=namespace.errors,
            endings=namespace.endings,
            limited=self.parts.limited,
            logged=self._log.logged,
        )

    async def drain(self) -> None:
        """Finish what is under way and send the clients elsewhere, in bounded time."""
        namespace, services = self._namespace, self._services
        if namespace is None or services is None:
            return
        self._draining = True
        drain = Drain(
            tell=self._tell,
            close=lambda sid: self.parts.server.close_transport(sid, NAMESPACE),
            refuse_new=self.parts.server.eio.refuse_new,
            end=self.parts.server.eio.shutdown,
            sids=lambda: [session.sid for session in services.sessions],
            under_way=lambda: namespace.under_way,
            seconds=self.parts.settings.drain_seconds,
        )
        await drain.run()

    def _tell(self, sid: str | None, event: str, payload: dict[str, object]) -> None:
        """Write an event to one session of this node, or to all of them."""
        self.parts.manager.delivery.tell(sid, event, payload)


NODE = web.AppKey("node", Node)


def create_app(settings: Settings) -> web.Application:
    """Return an aiohttp application that serves one node.

    Args:
        settings: What it runs with; ``redis_url`` must be set.

    Raises:
        ValueError: A key or an address cannot be used.
    """
    node = Node(settings)
    app = web.Application()
    app[NODE] = node
    node.parts.server.attach(app)
    add_routes(
        app,
        page_dir=settings.page_folder,
        not_ready=node.not_ready,
        metrics=node.metrics_text,
        metrics_token=settings.metrics_token,
    )
    app.add_routes(image_routes(lambda: node.images, origins=settings.allowed_origins))
    app.on_response_prepare.append(_hide_versions)
    app.cleanup_ctx.append(node.run)
    return app


class _Runs(Protocol):
    def start(self) -> None: ...

    async def aclose(self) -> None: ...


def _start(stack: AsyncExitStack, *parts: _Runs) -> None:
    """Start parts that the stack is to end."""
    for part in parts:
        part.start()
        stack.push_async_callback(part.aclose)


async def _hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    """Leave out aiohttp's and Python's versions: strangers need not know them."""
    response.headers.popall(hdrs.SERVER, None)
