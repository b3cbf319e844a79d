"""Parts that take many settings, made from them."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from realtime import json_codec
from realtime.addresses import Addresses, parse_networks
from realtime.auth.authenticator import choose_keys
from realtime.auth.keys import TokenKeys
from realtime.engineio.attempts import (
    ATTEMPTS_A_SECOND,
    ATTEMPTS_AT_ONCE,
    CONNECTIONS_A_SECOND,
    CONNECTIONS_AT_ONCE,
)
from realtime.images.decode import Limits
from realtime.images.service import Images
from realtime.images.signed_urls import ImageLinks
from realtime.images.store import ImageStore
from realtime.moderation.hook import Hook
from realtime.moderation.marked_rooms import MarkedRooms
from realtime.moderation.numbers import ModerationNumbers
from realtime.moderation.review import Moderation
from realtime.moderation.words import WordFilter, parse_words
from realtime.node.neighbours import Neighbours
from realtime.node.settings import Settings
from realtime.outbound.signature import parse_secret
from realtime.rates import MESSAGES, Rate
from realtime.redis.client import RedisClient
from realtime.socketio.manager import ChatroomManager
from realtime.socketio.packets import JSON_CHARACTERS
from realtime.socketio.server import ChatroomServer
from realtime.store.endpoints import Endpoint
from realtime.store.hooked_rooms import is_hooked
from realtime.store.image_uses import ImageUses
from realtime.store.outbox import Outbox
from realtime.store.shared_secret import SharedSecret
from realtime.webhooks.numbers import WebhookNumbers
from realtime.webhooks.quiet import blocking, by_their_settings
from realtime.webhooks.registry import parse_file
from realtime.webhooks.service import Webhooks
from schemas.catalog import NAMESPACE
from schemas.events import (
    DATA_BYTES,
    HISTORY_MESSAGES,
    IMAGES,
    MENTIONS,
    ROOMS_PAGE,
    SYNC_ROOMS,
    USERS,
)
from schemas.field_types import TEXT_CHARACTERS


def make_server(
    settings: Settings,
    *,
    manager: ChatroomManager,
    addresses: Addresses,
    rates: Mapping[str, Rate],
    limited: Counter[str],
    sid_mark: int | None,
) -> ChatroomServer:
    """Return the Socket.IO server of a manager, not attached to an application yet."""
    return ChatroomServer(
        client_manager=manager,
        async_mode="aiohttp",
        json=json_codec,
        # Not the library's "/", which would admit everybody without a token.
        namespaces=[NAMESPACE],
        ping_interval=settings.ping_interval_seconds,
        ping_timeout=settings.ping_timeout_seconds,
        max_http_buffer_size=settings.payload_limit_bytes,
        write_buffer_bytes=settings.write_buffer_bytes,
        addresses=addresses,
        limited=limited,
        sid_mark=sid_mark,
        max_json_characters=JSON_CHARACTERS,
        attempt_rate=(ATTEMPTS_A_SECOND, ATTEMPTS_AT_ONCE),
        arrival_rate=(CONNECTIONS_A_SECOND, CONNECTIONS_AT_ONCE),
        message_rate=rates.get(MESSAGES),
        address_unauthenticated=settings.address_unauthenticated,
        node_unauthenticated=settings.node_unauthenticated,
        cors_allowed_origins=list(settings.allowed_origins) or None,
    )


def make_keys(settings: Settings) -> TokenKeys | None:
    """Return the keys of tokens; None in development mode.

    Raises:
        ValueError: A key cannot be used, by the name of its setting.
    """
    key_file = settings.jwt_public_key_file
    with _named("CHATROOM_JWT_PUBLIC_KEY_FILE" if key_file else "The key of tokens"):
        return choose_keys(
            secret=settings.jwt_secret,
            public_key_pem=None if key_file is None else key_file.read_bytes(),
            jwks_url=settings.jwks_url,
            jwks_stale_seconds=settings.jwks_stale_seconds,
        )


def make_images(
    settings: Settings, shared: SharedSecret, neighbours: Neighbours
) -> Images:
    """Return the images; addresses are signed with the nodes' secret by default.

    Raises:
        ValueError: The store cannot be used, by the name of its setting.
    """
    own = settings.image_url_secret
    return Images(
        make_image_store(settings),
        ImageLinks(
            (lambda: shared.value) if own is None else own.encode,
            valid_seconds=settings.image_url_seconds,
            prefix=settings.public_path,
        ),
        Limits(
            settings.image_limit_bytes,
            settings.image_limit_pixels,
            settings.image_limit_frame_pixels,
        ),
        places=neighbours.decoders,
    )


def make_image_store(settings: Settings) -> ImageStore:
    """Return where images are.

    Raises:
        ValueError: The store cannot be used, by the name of its setting.
    """
    folder = settings.data_dir / "images"
    with _named("CHATROOM_IMAGES_URL" if settings.images_url else f"{folder}"):
        if settings.images_url is None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return ImageStore.at(
            settings.images_url,
            folder=folder,
            least_free_bytes=settings.image_free_bytes,
        )


def make_image_uses(settings: Settings, redis: RedisClient) -> ImageUses:
    """Return what is known of the images that messages show."""
    return ImageUses(
        redis,
        user_limit_bytes=settings.user_image_bytes,
        look_ms=settings.image_sweep_seconds * 1000,
    )


def make_moderation(
    settings: Settings,
    redis: RedisClient,
    *,
    numbers: ModerationNumbers,
    limited: Counter[str],
) -> Moderation | None:
    """Return what looks at messages before they are stored; None: nothing does.

    Raises:
        ValueError: The list of words cannot be used, by the name of its setting.
    """
    words, hook = None, None
    if settings.words_file is not None:
        with _named("CHATROOM_WORDS_FILE"):
            words = WordFilter(parse_words(settings.words_file.read_bytes()))
    if settings.hook_url is not None:
        hook = Hook(
            settings.hook_url,
            parse_secret(settings.hook_secret or ""),
            allowed=parse_networks(settings.hook_allow),
            fail_open=settings.hook_fail == "open",
            numbers=numbers,
            limited=limited,
        )
    if words is None and hook is None:
        return None
    marked = None
    if settings.hook_rooms == "marked":
        marked = MarkedRooms(partial(is_hooked, redis), time.monotonic)
    return Moderation(
        words=words,
        masks=settings.words_action == "mask",
        hook=hook,
        marked=marked,
        numbers=numbers,
    )


def told_limits(settings: Settings, rates: Mapping[str, Rate]) -> Mapping[str, object]:
    """Return the ``limits`` of ``hello``."""
    return {
        "textCharacters": TEXT_CHARACTERS,
        "mentions": MENTIONS,
        "images": IMAGES,
        "dataBytes": DATA_BYTES,
        "payloadBytes": settings.payload_limit_bytes,
        "imageBytes": settings.image_limit_bytes,
        "imagePixels": settings.image_limit_pixels,
        "imageFramePixels": settings.image_limit_frame_pixels,
        "userImageBytes": settings.user_image_bytes,
        "historyMessages": HISTORY_MESSAGES,
        "roomsPage": ROOMS_PAGE,
        "syncRooms": SYNC_ROOMS,
        "users": USERS,
        "sessionRooms": settings.session_rooms,
        "userRooms": settings.user_rooms,
        "announceMembers": settings.announce_members,
        "rates": {
            name: {
                "interval": max(1, round(1000 / rate.per_second)),
                "burst": rate.burst,
            }
            for name, rate in rates.items()
        },
    }


def make_webhooks(
    settings: Settings,
    redis: RedisClient,
    outbox: Outbox,
    *,
    node: str,
    numbers: WebhookNumbers,
) -> Webhooks:
    """Return what tells applications of what happens.

    Raises:
        ValueError: The file cannot be used, by the name of its setting.
    """
    of_file: tuple[Endpoint, ...] = ()
    if settings.hooks_file is not None:
        with _named("CHATROOM_HOOKS_FILE"):
            of_file = parse_file(settings.hooks_file.read_bytes())
    return Webhooks(
        redis,
        outbox,
        node=node,
        of_file=of_file,
        allowed=parse_networks(settings.hook_allow),
        limit_bytes=settings.hook_queue_bytes,
        quiet=(by_their_settings(redis), blocking(redis)),
        numbers=numbers,
    )


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say of what an error tells: the setting, or the folder, that cannot be used.

    Raises:
        ValueError: With the name before the reason.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(f"{what}: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
