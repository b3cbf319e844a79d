"""One node: its parts are started and ended here, and it is served over HTTP."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from aiohttp import web

from handlers.api import api_routes
from handlers.api.caller import Callers
from handlers.hosts import Hosts, refuse_other_hosts
from handlers.http import add_routes
from handlers.images import image_routes
from realtime.engineio.origin_names import OriginSet
from realtime.node.arrivals import Arrivals
from realtime.node.connection_limit import HttpDoors
from realtime.node.http_turns import HttpTurns
from realtime.node.log_counts import LogCounts
from realtime.node.loop_lag import LoopLag
from realtime.node.metrics import Metrics
from realtime.node.neighbours import Neighbours
from realtime.node.outage import OutageWatch
from realtime.node.process_metrics import ProcessMetrics, count_tasks
from realtime.node.redis_probe import RedisProbe
from realtime.node.settings import Settings
from realtime.node.shutdown import Drain
from realtime.node.unread import UnreadWatch
from realtime.node.wiring import Parts
from realtime.redis.embedded import EmbeddedValkey
from realtime.tasks import TaskStack
from schemas.catalog import NAMESPACE


class Node:
    """One node, from its start to its end.

    Args:
        settings: What it runs with; ``redis_url`` must be set.
        valkey: The embedded Valkey, if that is its Redis.
        neighbours: The other nodes of its machine, if it is one of several.

    Attributes:
        parts: What it consists of.
        settings: What it runs with.
        doors: What holds for its HTTP connections, once it guards a server.
        arrivals: Takes its connections.
    """

    def __init__(
        self,
        settings: Settings,
        valkey: EmbeddedValkey | None,
        neighbours: Neighbours,
    ) -> None:
        self._valkey = valkey
        self._neighbours = neighbours
        self.parts = parts = Parts(settings, neighbours)
        self.settings = settings
        self.doors = HttpDoors(
            parts.addresses.peer_name,
            at_most=settings.address_sessions + settings.address_unauthenticated,
            refused=lambda: parts.limited.update(("address_connections",)),
            held=parts.server.eio.engine.held_bytes,
            arrivals=parts.server.eio.engine.admission.arrivals,
            unread=UnreadWatch(lambda: parts.limited.update(("answer_seconds",))),
            elsewhere=neighbours.elsewhere,
        )
        self.arrivals = Arrivals(
            budget=parts.server.eio.engine.admission.arrivals,
            name_of=parts.addresses.peer_name,
            limited=parts.limited,
        )
        self._lag = LoopLag()
        self._log = LogCounts()
        self._tasks = TaskStack()
        self._draining = False
        self._metrics = Metrics(
            gauges={
                "ready": lambda: not self.not_ready(),
                "sessions": lambda: len(parts.sessions),
                "unauthenticated": lambda: parts.addresses.unauthenticated,
                "rooms": lambda: len(parts.feeds),
                "requests": lambda: parts.namespace.under_way,
                "redis_calls": lambda: parts.redis.under_way,
                "redis_up": lambda: parts.redis.healthy,
                "pubsub_up": lambda: parts.subscriber.ready,
                "fan_out_bytes": lambda: parts.manager.waiting_bytes,
            },
            errors=parts.namespace.errors,
            endings=parts.namespace.endings,
            limited=parts.limited,
            logged=self._log.logged,
            moderated=parts.moderated,
            told=parts.webhook_numbers,
            traffic=parts.traffic,
            delivered=lambda: parts.manager.delivered,
            shards={
                "redis_shard_up": parts.redis.shards,
                "pubsub_shard_up": parts.subscriber.shards,
            },
        )
        self._process = ProcessMetrics(
            self._lag,
            objects=lambda: {
                **count_tasks(),
                **parts.held(),
                "connections_waiting": len(self.arrivals),
            },
        )

    def not_ready(self) -> list[str]:
        """Return why the node cannot serve right now; empty if it can."""
        reasons = []
        if self._draining:
            reasons.append("The node is going down.")
        if self._tasks.failed:
            reasons.append(f"A part of the node has failed: {self._tasks.failed[0]}.")
        # Everybody may ask; addresses, paths and the words of Redis are in the log.
        trouble = self._valkey.trouble if self._valkey else self._neighbours.trouble()
        if trouble is not None:
            reasons.append(trouble)
        if not self.parts.redis.healthy:
            reasons.append("Redis commands: no answer.")
        elif self.parts.lease.is_refused:
            reasons.append("Redis commands: refused.")
        if not self.parts.subscriber.ready:
            reasons.append("Redis Pub/Sub: not subscribed.")
        return reasons

    def warnings(self) -> list[str]:
        """Return what the node cannot do now while it serves."""
        if self.parts.images.store.is_full:
            return ["No space for images; texts and reading go on."]
        return []

    def metrics_text(self) -> bytes:
        """Return the node's numbers in Prometheus's text format."""
        return self._metrics.text() + self._process.text()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Start all parts; after the ``yield`` end them in the opposite order."""
        parts = self.parts
        async with AsyncExitStack() as stack:
            stack.enter_context(self._log)
            self._lag.start()
            stack.callback(self._lag.close)
            stack.push_async_callback(parts.auth.aclose)
            stack.push_async_callback(parts.images.aclose)
            tasks = await stack.enter_async_context(self._tasks)
            parts.start(tasks)
            await parts.publishing.begin()
            await parts.secret.fetch()
            stack.push_async_callback(parts.server.shutdown)
            outage = OutageWatch(
                is_up=lambda: parts.redis.healthy and parts.subscriber.ready,
                tell=lambda up: parts.manager.tell(None, "service", {"available": up}),
                clock=time.monotonic,
            )
            tasks.start(outage.run(), "outage-watch")
            probe = RedisProbe(parts.redis, parts.traffic)
            tasks.start(probe.run(), "redis-probe")
            tasks.start(self.doors.unread.run(), "unread-watch")
            yield

    async def drain(self) -> None:
        """Finish what is under way and send the clients elsewhere, in bounded time."""
        parts = self.parts
        self._draining = True
        drain = Drain(
            tell=parts.manager.tell,
            close=lambda sid: parts.server.close_transport(sid, NAMESPACE),
            refuse_new=parts.server.eio.refuse_new,
            end=parts.server.eio.shutdown,
            sids=lambda: [session.sid for session in parts.sessions],
            under_way=lambda: parts.namespace.under_way,
            seconds=self.settings.drain_seconds,
        )
        await drain.run()
        self.doors.unread.hurry()


NODE = web.AppKey("node", Node)

ENGINE_PATHS = ("/socket.io", "/socket.io/")
# What operators ask for.
PROBES = ("/healthz", "/readyz", "/metrics")


def create_app(
    settings: Settings,
    valkey: EmbeddedValkey | None = None,
    neighbours: Neighbours | None = None,
) -> web.Application:
    """Return an aiohttp application that serves one node.

    Args:
        settings: What it runs with; ``redis_url`` must be set.
        valkey: The embedded Valkey, if that is its Redis.
        neighbours: The other nodes of its machine; None: it is alone.

    Raises:
        ValueError: A key or an address cannot be used.
    """
    neighbours = neighbours or Neighbours()
    node = Node(settings, valkey, neighbours)
    hosts = Hosts({settings.host.lower(), *settings.allowed_hosts})
    # A proxy may strip the path or pass it on; health checks come without it.
    prefixes = dict.fromkeys(("", settings.public_path))
    engine_paths = [p + each for p in prefixes for each in ENGINE_PATHS]
    server = node.parts.server
    turns = HttpTurns(
        server.eio.engine.admission,
        node.doors,
        probes=[p + each for p in prefixes for each in PROBES],
        elsewhere=engine_paths,
        limited=node.parts.limited,
    )
    # Where names are proven by tokens, a page gains nothing by another host's name.
    own = [refuse_other_hosts(hosts)] if settings.development else []
    app = web.Application(middlewares=[turns.take, *own])
    app[NODE] = node
    origins = OriginSet(settings.allowed_origins) if settings.allowed_origins else None
    server.attach(app)
    for path in engine_paths:
        if path != "/socket.io/":
            app.router.add_route("*", path, server.eio.handle_request)
    for prefix in prefixes:
        add_routes(
            app,
            page_dir=settings.page_folder,
            not_ready=lambda: neighbours.not_ready(node.not_ready()),
            warnings=lambda: neighbours.warnings(node.warnings()),
            metrics=lambda: neighbours.metrics(node.metrics_text()),
            metrics_token=settings.metrics_token,
            hosts=hosts,
            prefix=prefix,
        )
        images = image_routes(node.parts.images, prefix=prefix, origins=origins)
        app.add_routes(images)
        api = api_routes(
            node.parts.namespace,
            Callers(node.parts.auth, node.parts.api_keys),
            origins=origins,
            prefix=prefix,
        )
        app.add_routes(api)
    app.cleanup_ctx.append(node.run)
    return app
