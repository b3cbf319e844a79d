"""Assembly: what a node consists of is made and wired here, and only here."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from handlers.chat import NAMESPACE
from realtime import json_codec
from realtime.addresses import Addresses, parse_networks
from realtime.auth.authenticator import Authenticator, choose_keys
from realtime.auth.keys import TokenKeys
from realtime.images.decode import Limits as ImageLimits
from realtime.images.service import Images
from realtime.images.signed_urls import ImageLinks
from realtime.images.store import ImageStore
from realtime.limits import new_counts
from realtime.node.settings import RATE_NAMES, Settings
from realtime.presence.presence import Presence
from realtime.presence.presence_counts import PresenceCounts
from realtime.presence.roster import SessionLists
from realtime.presence.sessions import Sessions
from realtime.rates import MESSAGES, USER, RequestRates, parse_rates
from realtime.redis.client import RedisLink
from realtime.redis.durability import Durability, parse_level
from realtime.redis.url import connection_factory
from realtime.rooms.attendance import Attendance
from realtime.rooms.quitting import Quits
from realtime.rooms.recovery import Recovery
from realtime.rooms.standing import Standing
from realtime.services import Limits, Publisher, Services
from realtime.socketio.manager import ChatroomManager
from realtime.socketio.server import ChatroomServer
from realtime.store import keys, scripts
from realtime.store.image_sweep import ImageSweep
from realtime.store.image_uses import ImageUses
from realtime.store.membership import Rooms
from realtime.store.message_log import MessageLog
from realtime.store.read_marks import ReadState
from realtime.store.room_state import RoomStates
from realtime.store.user_rates import UserRates

NODE_ID_BYTES = 6
"""Random bytes of a node's id: unique among nodes that ever shared a Redis."""

SECRET_BYTES = 32
"""Length of the secret that nodes share: the size of HMAC-SHA256's output."""


class Parts:
    """What a node has from before its start until after its end. Nothing runs yet.

    Args:
        settings: What it runs with; ``redis_url`` must be set.

    Raises:
        ValueError: A setting names what cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.redis_url is None:
            raise ValueError("a node needs the address of its Redis")
        self.settings = settings
        timeout_seconds = settings.redis_timeout_seconds
        self.id = secrets.token_hex(NODE_ID_BYTES)
        factory = connection_factory(
            settings.redis_url, timeout_seconds=timeout_seconds
        )
        self.link = RedisLink(
            factory,
            timeout_seconds=timeout_seconds,
            limit_calls=settings.redis_calls,
            scripts=scripts.ALL,
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


async def make_services(parts: Parts) -> Services:
    """Return what the handlers are given.

    Raises:
        UnavailableError, OutcomeUnknownError: Redis is away.
        ValueError, OSError: A key or a file cannot be used.
    """
    settings, link = parts.settings, parts.link
    images = await _make_images(parts)
    announce = settings.announce_members
    rooms = Rooms(link, user_rooms_limit=settings.user_rooms)
    reads = ReadState(link, announce_members=announce)
    states = RoomStates(link, announce_members=announce)
    attendance = Attendance(
        manager=parts.manager,
        recovery=Recovery(parts.log),
        rooms=rooms,
        states=states,
        lists=parts.lists,
        present=images.resign,
        session_rooms_limit=settings.session_rooms,
    )
    return Services(
        auth=Authenticator(
            await _make_keys(settings),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            require_exp=settings.require_exp,
        ),
        sessions=Sessions(),
        log=parts.log,
        reads=reads,
        rooms=rooms,
        attendance=attendance,
        quits=Quits(
            manager=parts.manager,
            rooms=rooms,
            attendance=attendance,
            lists=parts.lists,
            standing=Standing(parts.manager, states),
        ),
        images=images,
        image_uses=make_image_uses(settings, link),
        publisher=Publisher(parts.manager),
        rates=RequestRates(parts.rates),
        user_rates=parts.user_rates,
        limits=Limits(
            user_sessions=settings.user_sessions,
            address_sessions=settings.address_sessions,
            node_sessions=settings.node_sessions,
        ),
        limited=parts.limited,
    )


async def _make_keys(settings: Settings) -> TokenKeys | None:
    key_file = settings.jwt_public_key_file
    pem = None
    with _named("CHATROOM_JWT_PUBLIC_KEY_FILE" if key_file else "The key of tokens"):
        if key_file is not None:
            pem = await asyncio.to_thread(key_file.read_bytes)
        return choose_keys(
            secret=settings.jwt_secret,
            public_key_pem=pem,
            jwks_url=settings.jwks_url,
            jwks_stale_seconds=settings.jwks_stale_seconds,
        )


def image_sweep(parts: Parts, services: Services) -> ImageSweep:
    """Return what deletes the images that no message shows."""
    return ImageSweep(
        parts.link,
        services.image_uses,
        services.images.store,
        every_seconds=parts.settings.image_sweep_seconds,
    )


def make_image_uses(settings: Settings, link: RedisLink) -> ImageUses:
    """Return what is known of the images that messages show."""
    return ImageUses(
        link,
        user_limit_bytes=settings.user_image_bytes,
        look_ms=settings.image_sweep_seconds * 1000,
    )


def make_image_store(settings: Settings) -> ImageStore:
    """Return where images are.

    Raises:
        ValueError: The setting, or the folder, cannot be used.
    """
    folder = settings.data_dir / "images"
    with _named("CHATROOM_IMAGES_URL" if settings.images_url else f"{folder}"):
        return ImageStore.at(
            settings.images_url,
            folder=folder,
            least_free_bytes=settings.image_free_bytes,
        )


async def _make_images(parts: Parts) -> Images:
    settings = parts.settings
    secret = settings.image_url_secret
    key = secret.encode() if secret else await _shared_secret(parts.link)
    return Images(
        make_image_store(settings),
        ImageLinks(key, valid_seconds=settings.image_url_seconds),
        ImageLimits(
            settings.image_limit_bytes,
            settings.image_limit_pixels,
            settings.image_limit_frame_pixels,
        ),
    )


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say of what an error tells: the setting, or the folder, that cannot be used.

    Raises:
        ValueError: With the name before the reason.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        raise ValueError(f"{what}: {error}") from error


async def _shared_secret(link: RedisLink) -> bytes:
    """Return the secret that all nodes of this Redis share; the first makes it."""
    await link.call("SET", keys.SHARED_SECRET, secrets.token_bytes(SECRET_BYTES), "NX")
    secret: bytes = await link.call("GET", keys.SHARED_SECRET)
    return secret
