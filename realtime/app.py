"""One node: every part is made and wired here, and only here."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from aiohttp import hdrs, web

from handlers import register
from handlers.chat import NAMESPACE, ChatNamespace
from handlers.http import add_routes
from handlers.images import image_routes
from realtime import json_codec, keys, lua
from realtime.addresses import Addresses, parse_networks
from realtime.attendance import Attendance
from realtime.auth import Authenticator, choose_keys
from realtime.drain import Drain
from realtime.durability import Durability, parse_level
from realtime.holdings import count_objects
from realtime.http_doors import HttpDoors
from realtime.image_links import ImageLinks
from realtime.image_store import ImageStore
from realtime.images import Images
from realtime.leases import NodeLease
from realtime.limits import new_counts
from realtime.loop_lag import LoopLag
from realtime.manager import ChatroomManager
from realtime.message_log import MessageLog
from realtime.metrics import Metrics
from realtime.outage import OutageWatch
from realtime.presence import Presence
from realtime.presence_counts import PresenceCounts
from realtime.process_metrics import ProcessMetrics
from realtime.quits import Quits
from realtime.rates import MESSAGES, USER, RequestRates, parse_rates
from realtime.read_state import ReadState
from realtime.recovery import Recovery
from realtime.redis_link import RedisLink
from realtime.redis_url import connection_factory
from realtime.room_state import RoomStates
from realtime.rooms import Rooms
from realtime.server import ChatroomServer
from realtime.services import Limits, Publisher, Services
from realtime.session_lists import SessionLists
from realtime.sessions import Sessions
from realtime.settings import RATE_NAMES, Settings
from realtime.standing import Standing
from realtime.user_rates import UserRates

NODE_ID_BYTES = 6
"""Random bytes of a node's id: unique among nodes that ever shared a Redis."""

SECRET_BYTES = 32
"""Length of the secret that nodes share: the size of HMAC-SHA256's output."""


class Node:
    """The parts of one node, from its start to its end.

    Args:
        settings: What it runs with; ``redis_url`` must be set.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.redis_url is None:
            raise ValueError("a node needs the address of its Redis")
        self._settings = settings
        timeout_seconds = settings.redis_timeout_seconds
        self.id = secrets.token_hex(NODE_ID_BYTES)
        factory = connection_factory(
            settings.redis_url, timeout_seconds=timeout_seconds
        )
        self.link = RedisLink(
            factory,
            timeout_seconds=timeout_seconds,
            limit_calls=settings.redis_calls,
            scripts=lua.ALL,
        )
        self.durability = Durability(
            factory,
            default=parse_level(settings.durability),
            timeout_seconds=settings.durability_seconds,
        )
        self.log = MessageLog(
            self.link,
            remember_seconds=settings.client_id_seconds,
            log_limit=settings.log_events,
            log_age_ms=settings.log_seconds * 1000,
            history_limit=settings.history_messages,
            durability=self.durability,
        )
        self.counts = PresenceCounts(self.link)
        self.presence = Presence(
            self.link,
            node=self.id,
            announce_users=settings.announce_members,
            counts=self.counts,
        )
        self.lists = SessionLists(self.presence)
        self.rates = parse_rates(settings.rates, RATE_NAMES)
        self.user_rates = UserRates(
            self.link, self.rates.get(USER), clock=time.monotonic
        )
        self.limited = new_counts()
        self.addresses = Addresses(parse_networks(settings.trusted_proxies))
        self.manager = ChatroomManager(
            settings.redis_url,
            limited=self.limited,
            recent_bytes=settings.node_recent_bytes,
            link=self.link,
            message_log=self.log,
            timeout_seconds=timeout_seconds,
            silence_seconds=settings.redis_silence_seconds,
        )
        self.server = ChatroomServer(
            client_manager=self.manager,
            async_mode="aiohttp",
            json=json_codec,
            # Not the library's "/", which would admit everybody without a token.
            namespaces=[NAMESPACE],
            ping_interval=settings.ping_interval_seconds,
            ping_timeout=settings.ping_timeout_seconds,
            max_http_buffer_size=settings.payload_limit_bytes,
            write_buffer_bytes=settings.write_buffer_bytes,
            addresses=self.addresses,
            limited=self.limited,
            message_rate=self.rates.get(MESSAGES),
            address_unauthenticated=settings.address_unauthenticated,
            node_unauthenticated=settings.node_unauthenticated,
            cors_allowed_origins=list(settings.allowed_origins) or None,
        )
        self._services: Services | None = None
        self._namespace: ChatNamespace | None = None
        self._metrics: Metrics | None = None
        self._lag = LoopLag()
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
        settings = self._settings

        def refused() -> None:
            self.limited["address_connections"] += 1

        return HttpDoors(
            self.addresses.peer_name,
            at_most=settings.address_sessions + settings.address_unauthenticated,
            refused=refused,
        )

    def not_ready(self) -> list[str]:
        """Return why the node cannot serve right now; empty if it can."""
        reasons = []
        if self._draining:
            reasons.append("The node is going down.")
        # Everybody may ask; the addresses and the words of Redis are in the log.
        if not self.link.healthy:
            reasons.append("Redis commands: no answer.")
        if not self.manager.subscriber.ready:
            reasons.append("Redis Pub/Sub: not subscribed.")
        return reasons

    def metrics_text(self) -> bytes:
        """Return the node's numbers; there are none before the start."""
        if self._metrics is None or self._process is None:
            raise web.HTTPServiceUnavailable
        return self._metrics.text() + self._process.text()

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Start all parts; after the ``yield`` end them in the opposite order."""
        async with AsyncExitStack() as stack:
            self._lag.start()
            stack.callback(self._lag.close)
            self.link.start()
            stack.push_async_callback(self.link.aclose)
            stack.push_async_callback(self.durability.aclose)
            self.manager.start()
            stack.push_async_callback(self.manager.aclose)
            self.counts.start()
            stack.push_async_callback(self.counts.aclose)
            self.user_rates.start()
            stack.push_async_callback(self.user_rates.aclose)
            services = await self._make_services()
            stack.push_async_callback(services.auth.aclose)
            stack.push_async_callback(services.sessions.aclose)
            stack.push_async_callback(services.images.aclose)
            self.lists.start()
            stack.push_async_callback(self.lists.aclose)
            lease = NodeLease(
                self.link,
                node=self.id,
                presence=self.presence,
                relist=self.lists.relist,
                reconcile=self.lists.reconcile,
                lease_seconds=self._settings.lease_seconds,
            )
            lease.start()
            stack.push_async_callback(lease.aclose)
            self._namespace = register(self.server, services)
            namespace = self._namespace
            self._metrics = self._make_metrics(namespace, services)
            self._process = ProcessMetrics(
                self._lag,
                objects=lambda: count_objects(
                    self.server,
                    services,
                    lists=self.lists,
                    counts=self.counts,
                    durability=self.durability,
                    requests=namespace.under_way,
                ),
            )
            self._services = services
            stack.push_async_callback(self.server.shutdown)
            outage = OutageWatch(
                is_up=lambda: self.link.healthy and self.manager.subscriber.ready,
                tell=lambda up: self._tell(None, "service", {"available": up}),
                clock=time.monotonic,
            )
            outage.start()
            stack.push_async_callback(outage.aclose)
            yield

    def _make_metrics(self, namespace: ChatNamespace, services: Services) -> Metrics:
        manager = self.manager
        return Metrics(
            gauges={
                "sessions": lambda: len(services.sessions),
                "unauthenticated": lambda: self.addresses.strangers,
                "rooms": lambda: len(manager.feeds),
                "requests": lambda: namespace.under_way,
                "redis_calls": lambda: self.link.under_way,
                "redis_up": lambda: self.link.healthy,
                "pubsub_up": lambda: manager.subscriber.ready,
                "fan_out_backlog": lambda: manager.fan_out_backlog,
            },
            errors=namespace.errors,
            endings=namespace.endings,
            limited=self.limited,
        )

    async def drain(self) -> None:
        """Finish what is under way and send the clients elsewhere, in bounded time."""
        namespace, services = self._namespace, self._services
        if namespace is None or services is None:
            return
        self._draining = True
        drain = Drain(
            tell=self._tell,
            close=lambda sid: self.server.close_transport(sid, NAMESPACE),
            refuse_new=self.server.eio.refuse_new,
            end=self.server.eio.shutdown,
            sids=lambda: [session.sid for session in services.sessions],
            under_way=lambda: namespace.under_way,
            seconds=self._settings.drain_seconds,
        )
        await drain.run()

    def _tell(self, sid: str | None, event: str, payload: dict[str, object]) -> None:
        """Write an event to one session of this node, or to all of them."""
        packet = f"2{NAMESPACE},{json_codec.dumps([event, payload])}"
        self.manager.send_local(NAMESPACE, sid, [packet])

    async def _make_services(self) -> Services:
        settings, link = self._settings, self.link
        images = await self._make_images()
        announce = settings.announce_members
        rooms = Rooms(link, user_rooms_limit=settings.user_rooms)
        reads = ReadState(link, announce_members=announce)
        states = RoomStates(link, announce_members=announce)
        attendance = Attendance(
            manager=self.manager,
            recovery=Recovery(self.log),
            rooms=rooms,
            states=states,
            lists=self.lists,
            present=images.resign,
            session_rooms_limit=settings.session_rooms,
        )
        key_file = settings.jwt_public_key_file
        pem = None
        if key_file is not None:
            pem = await asyncio.to_thread(key_file.read_bytes)
        return Services(
            auth=Authenticator(
                choose_keys(
                    secret=settings.jwt_secret,
                    public_key_pem=pem,
                    jwks_url=settings.jwks_url,
                    jwks_stale_seconds=settings.jwks_stale_seconds,
                ),
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
                require_exp=settings.require_exp,
            ),
            sessions=Sessions(),
            log=self.log,
            reads=reads,
            rooms=rooms,
            attendance=attendance,
            quits=Quits(
                manager=self.manager,
                rooms=rooms,
                attendance=attendance,
                lists=self.lists,
                standing=Standing(self.manager, states),
            ),
            images=images,
            publisher=Publisher(self.manager),
            rates=RequestRates(self.rates),
            user_rates=self.user_rates,
            limits=Limits(
                user_sessions=settings.user_sessions,
                address_sessions=settings.address_sessions,
                node_sessions=settings.node_sessions,
            ),
            limited=self.limited,
        )

    async def _make_images(self) -> Images:
        settings = self._settings
        secret = settings.image_url_secret
        key = secret.encode() if secret else await self._shared_secret()
        return Images(
            ImageStore.at(settings.images_url, folder=settings.data_dir / "images"),
            ImageLinks(key, valid_seconds=settings.image_url_seconds),
            limit_bytes=settings.image_limit_bytes,
            limit_pixels=settings.image_limit_pixels,
        )

    async def _shared_secret(self) -> bytes:
        """Return the secret that all nodes of this Redis share; the first makes it."""
        await self.link.call(
            "SET", keys.SHARED_SECRET, secrets.token_bytes(SECRET_BYTES), "NX"
        )
        secret: bytes = await self.link.call("GET", keys.SHARED_SECRET)
        return secret


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
    node.server.attach(app)
    add_routes(
        app,
        page_dir=settings.page_folder,
        not_ready=node.not_ready,
        metrics=node.metrics_text,
        metrics_token=settings.metrics_token,
    )
    app.add_routes(image_routes(lambda: node.images))
    app.on_response_prepare.append(_hide_versions)
    app.cleanup_ctx.append(node.run)
    return app


async def _hide_versions(_request: web.Request, response: web.StreamResponse) -> None:
    """Leave out aiohttp's and Python's versions: strangers need not know them."""
    response.headers.popall(hdrs.SERVER, None)
