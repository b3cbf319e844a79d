"""Every setting of the server, as one table.

A field of :class:`Settings` is the whole definition of a setting: its variable
``CHATROOM_<NAME>``, default, unit (in the name), meaning and parser.
``realtime.node.settings_io`` reads the variables, ``chatroom settings`` and
``docs/settings.md`` list them; all three walk this table.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from marshmallow import fields as parsers
from marshmallow import validate

from realtime.node.log_setup import JSON, TEXT
from realtime.node.settings_fields import (
    HostNames,
    Networks,
    Origins,
    PathText,
    RatesText,
    RedisUrl,
    UrlPath,
    WebhookSecret,
    WorkerCount,
    positive,
)
from realtime.rates import (
    CONNECT,
    CONNECTION,
    MESSAGES,
    NEW_ROOMS,
    REFUSALS,
    USER,
    USER_REQUESTS,
)
from schemas.catalog import REQUESTS

T = TypeVar("T")
KIB = 1024
MIB = 1024 * KIB
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
RATE_NAMES = frozenset(
    {
        *(CONNECT, CONNECTION, MESSAGES, NEW_ROOMS, REFUSALS, USER, USER_REQUESTS),
        *REQUESTS,
    }
)
# In a checkout; an installed package has no page there.
SOURCE_PAGE = Path(__file__).resolve().parents[2] / "clients" / "js-demo" / "dist"


def option(
    default: T, doc: str, parser: parsers.Field[Any], *, secret: bool = False
) -> T:
    """Return a dataclass field that carries a setting's meaning and parser."""
    metadata = {"doc": doc, "parser": parser, "secret": secret}
    value: T = field(default=default, metadata=metadata)
    return value


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The values a server runs with; see each field's ``doc``."""

    host: str = option(
        "127.0.0.1", "Address to listen on; 0.0.0.0 for all.", parsers.String()
    )
    port: int = option(
        5000,
        "TCP port to listen on; 0 for any free one.",
        parsers.Integer(validate=validate.Range(0, 65535)),
    )
    workers: int = option(
        1,
        "Processes that serve the port together, 1 to 64; `auto`: one for each core."
        " More than one need Linux.",
        WorkerCount(),
    )
    redis_url: str | None = option(
        None,
        "Redis 7.0 or newer, or Valkey: redis://, rediss://, unix://,"
        " redis+sentinel:// or redis+cluster://. Unset: the embedded Valkey.",
        RedisUrl(),
        secret=True,
    )
    data_dir: Path = option(
        Path("chatroom-data"),
        "Folder of the embedded Valkey and of local images.",
        PathText(),
    )
    data_free_bytes: int = option(
        64 * MIB,
        "What is left free of the disk of that folder (of a disk below 1 GiB a"
        " sixteenth at most): with less, messages are refused as `unavailable`.",
        parsers.Integer(validate=validate.Range(min=0)),
    )
    page_dir: Path | None = option(
        None,
        "Folder of the built demo page. Unset: clients/js-demo/dist of the checkout.",
        PathText(holds="index.html"),
    )
    metrics_token: str | None = option(
        None,
        "What a scraper of /metrics brings as `Authorization: Bearer …`. Unset: only"
        " requests from this machine are answered.",
        parsers.String(validate=validate.Length(min=16)),
        secret=True,
    )
    log_level: str = option(
        "info",
        "Least severity that is logged: debug, info, warning or error.",
        parsers.String(validate=validate.OneOf(["debug", "info", "warning", "error"])),
    )

    log_format: str = option(
        TEXT,
        "Shape of a line of the log: text, or json (an object with ts, level, event,"
        " message, logger, node, worker and ids; no contents).",
        parsers.String(validate=validate.OneOf([TEXT, JSON])),
    )

    # Who may connect.
    jwt_secret: str | None = option(
        None,
        "Secret of HS256 tokens, at least 32 bytes.",
        parsers.String(validate=validate.Length(min=32)),
        secret=True,
    )
    jwt_public_key_file: Path | None = option(
        None,
        "PEM file with the public key of RS256, ES256 or EdDSA tokens.",
        PathText(must_exist=True),
    )
    jwks_url: str | None = option(
        None,
        "Address of a JSON Web Key Set with the keys of the tokens.",
        parsers.Url(schemes={"http", "https"}, require_tld=False),
    )
    jwks_stale_seconds: int = option(
        DAY_SECONDS,
        "Time for which the keys last fetched serve while new ones cannot be fetched.",
        parsers.Integer(validate=validate.Range(min=600)),
    )
    jwt_audience: str | None = option(
        None, "The `aud` that tokens must name.", parsers.String()
    )
    jwt_issuer: str | None = option(
        None, "The `iss` that tokens must name.", parsers.String()
    )
    require_exp: bool = option(
        False, "Refuse tokens that never expire.", parsers.Boolean()
    )
    revoked_seconds: int = option(
        30 * DAY_SECONDS,
        "How long it is noted whose tokens were revoked: longer than any token lives.",
        parsers.Integer(validate=validate.Range(min=60)),
    )
    force_development: bool = option(
        False,
        "Allow development mode (anyone may take any name) beyond loopback.",
        parsers.Boolean(),
    )
    open_rooms: bool | None = option(
        None,
        "Whether `join` makes the room that it names, where there is none. Unset: in"
        " development mode it does, with keys only `room_create` makes rooms.",
        parsers.Boolean(),
    )
    allowed_origins: tuple[str, ...] = option(
        (),
        "Origins of pages that may connect, separated by commas; `*` for any,"
        " `https://*.example.org` for all names below one. Unset: pages of this server"
        " only.",
        Origins(),
    )
    allowed_hosts: tuple[str, ...] = option(
        (),
        "Names by which a server in development mode, or `/metrics` without a token,"
        " may be called besides localhost, addresses and `CHATROOM_HOST`, separated by"
        " commas; `*` for any. Other names may be made to lead here by a foreign page.",
        HostNames(),
    )
    public_path: str = option(
        "",
        "Path under which a proxy shows this server, as `/chat`, whether it strips it"
        " or passes it on. Unset: the root.",
        UrlPath(),
    )

    # Connections.
    ping_interval_seconds: float = option(
        25.0, "Time between two heartbeats of a connection.", positive()
    )
    ping_timeout_seconds: float = option(
        20.0, "Time for the answer to a heartbeat.", positive()
    )
    payload_limit_bytes: int = option(
        12 * MIB,
        "Largest packet that a client may send; the images of a message must fit, over"
        " long polling in base64, which is a third more.",
        parsers.Integer(validate=validate.Range(min=64 * KIB)),
    )
    write_buffer_bytes: int = option(
        MIB,
        "What may wait to be sent to one client beside one long message; one that"
        " reads more slowly is closed and recovers when it comes back.",
        parsers.Integer(validate=validate.Range(min=64 * KIB)),
    )
    keepalive_seconds: float = option(
        75.0,
        "Time for which an HTTP connection may be idle, or take for the head of its"
        " request. More than a proxy in front keeps its own (nginx 60 s, cloud"
        " balancers up to 600 s), so that it is the proxy that closes.",
        positive(),
    )
    drain_seconds: float = option(
        10.0,
        "Time to finish what is under way and to close all connections when the"
        " server is told to stop.",
        positive(),
    )
    shutdown_seconds: float = option(
        5.0, "Time for requests in progress when the server stops.", positive()
    )

    rates: str = option(
        "connection=100/500, user=20/200, join=50/500, sync=5/20, typing=5/20,"
        " mark_read=20/100, history=10/50, media=5/20, users=5/20, reads=10/50,"
        " rooms=5/20, refresh=1/10, me=2/10, room_mine=10/50, mark_unread=10/50,"
        " user_requests=50/1000, connect=5/50, refusals=2/50,"
        " messages=500/2000, new_rooms=0.05/5000",
        "Requests per second and at once, `name=per_second/burst`: of a connection"
        " in all (`connection`) and by event, of a user at a node (`user_requests`),"
        " connects of a user at a node (`connect`, told after a second),"
        " over all nodes a user's messages (`user`) and the rooms they become a member"
        " of (`new_rooms`). Above `refusals` of a user,"
        " or `messages` of a WebSocket (packets of whatever kind), the connection is"
        " read more slowly. What is not named is not limited; `off`: nothing is.",
        RatesText(RATE_NAMES),
    )
    session_rooms: int = option(
        1000,
        "Rooms that one session may attend.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    user_rooms: int = option(
        5_000,
        "Rooms that one user may be a member of.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    user_sessions: int = option(
        100,
        "Sessions of one user at a node.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    node_sessions: int = option(
        100_000,
        "Sessions of a node.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    node_unauthenticated: int = option(
        10_000,
        "Connections of a node that have not proven yet whose they are.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    address_sessions: int = option(
        1000,
        "Sessions of one address at a node: an IPv4 address, or the /64 of an IPv6"
        " address. Many people of one office or mobile network have the same.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    address_unauthenticated: int = option(
        500,
        "Connections of one address that have not proven yet whose they are.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    node_recent_bytes: int = option(
        256 * MIB,
        "Recent events of all rooms that a node keeps in memory for who comes back;"
        " what is not kept is read from Redis.",
        parsers.Integer(validate=validate.Range(min=MIB)),
    )
    node_watched_rooms: int = option(
        100_000,
        "Rooms that a node listens to for the room lists of its users; whose further"
        " rooms are not among them is told so.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    trusted_proxies: str = option(
        "127.0.0.1, ::1",
        "Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed: addresses"
        " and networks, separated by commas; `none` for none.",
        Networks(),
    )

    # Redis.
    redis_timeout_seconds: float = option(
        3.0, "Time for one command's answer before it counts as failed.", positive()
    )
    redis_silence_seconds: float = option(
        2.0,
        "Silence after which the Pub/Sub connection counts as dead; it is asked for"
        " a sign of life well before.",
        positive(),
    )
    redis_calls: int = option(
        20_000,
        "Redis calls that may be under way; further ones are refused as unavailable.",
        parsers.Integer(validate=validate.Range(min=100)),
    )
    lease_seconds: float = option(
        10.0,
        "Time without a sign of life after which a node counts as dead and its"
        " sessions are swept.",
        positive(),
    )

    # Rooms.
    log_events: int = option(
        10_000,
        "Events that a room's log keeps for recovery.",
        parsers.Integer(validate=validate.Range(min=100)),
    )
    log_seconds: int = option(
        7 * DAY_SECONDS,
        "Age up to which a room's log keeps events.",
        parsers.Integer(validate=validate.Range(min=60)),
    )
    empty_room_seconds: int = option(
        7 * DAY_SECONDS,
        "Time after which a room that nobody is a member of ends, with all that was"
        " said in it.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    history_messages: int = option(
        10_000,
        "Messages that a room's history keeps.",
        parsers.Integer(validate=validate.Range(min=100)),
    )
    durability: str = option(
        "memory",
        "How safe a message is before its ack: memory, fsync (on disk) or replicas:N.",
        parsers.String(
            validate=validate.Regexp(
                "(memory|fsync|replicas:[1-9][0-9]?)\\Z",
                error="Must be memory, fsync or replicas:N, N from 1 to 99.",
            )
        ),
    )
    durability_seconds: float = option(
        2.0, "Time for a message to become that safe, else `unknown`.", positive()
    )
    announce_members: int = option(
        200,
        "Members up to which a room announces each read mark, and users online up to"
        " which it announces each one's coming and going. Larger rooms get counts.",
        parsers.Integer(validate=validate.Range(min=0)),
    )
    edit_seconds: int = option(
        DAY_SECONDS,
        "Time for which the author of a message may edit it.",
        parsers.Integer(validate=validate.Range(min=0)),
    )
    client_id_seconds: int = option(
        DAY_SECONDS,
        "Time for which a message's clientId is remembered against doubles.",
        parsers.Integer(validate=validate.Range(min=60)),
    )

    # What is looked at before it is stored.
    hook_url: str | None = option(
        None,
        "Address of the application that is asked about each message before it is"
        " stored, and about each edit. Unset: none is.",
        parsers.Url(schemes={"http", "https"}, require_tld=False),
        secret=True,
    )
    hook_secret: str | None = option(
        None,
        "Secret that signs what the application is asked, as Standard Webhooks has"
        " them: `whsec_` and 24 to 64 bytes in base64.",
        WebhookSecret(),
        secret=True,
    )
    hook_rooms: str = option(
        "all",
        "Rooms whose messages it is asked about: all, or those that are marked.",
        parsers.String(validate=validate.OneOf(["all", "marked"])),
    )
    hook_fail: str = option(
        "closed",
        "What becomes of a message that it could not be asked about: closed (refused"
        " as unavailable) or open (it passes).",
        parsers.String(validate=validate.OneOf(["closed", "open"])),
    )
    hook_allow: str = option(
        "none",
        "Networks in which it, and endpoints of webhooks, may be besides the internet,"
        " separated by commas; only there they may be http. `none` for none.",
        Networks(),
    )
    hooks_file: Path | None = option(
        None,
        "Endpoints of webhooks, a TOML file. Read at the start; `chatroom hook create`"
        " makes others. Unset: only those.",
        PathText(must_exist=True),
    )
    hook_queue_bytes: int = option(
        64 * MIB,
        "Bytes that may wait for an endpoint of webhooks, and of what was given up;"
        " the oldest make room.",
        parsers.Integer(validate=validate.Range(min=MIB)),
    )
    words_file: Path | None = option(
        None,
        "Words and phrases that are not allowed in texts, one a line; lines that begin"
        " with `#` are none. Read at the start.",
        PathText(must_exist=True),
    )
    words_action: str = option(
        "deny",
        "What becomes of a text with one of them: deny (refused) or mask (`*` for each"
        " of their characters).",
        parsers.String(validate=validate.OneOf(["deny", "mask"])),
    )

    # Images.
    images_url: str | None = option(
        None,
        "Object store of images: file:///…, s3://…, gs://… or az://…. Unset: images/"
        " in the data folder.",
        parsers.String(),
    )
    image_limit_bytes: int = option(
        8 * MIB,
        "Largest image accepted.",
        parsers.Integer(validate=validate.Range(min=KIB)),
    )
    image_limit_pixels: int = option(
        52_000_000,
        "Most pixels of an image accepted; decoding takes up to 16 bytes for each.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    image_limit_frame_pixels: int = option(
        300_000_000,
        "Most pixels of an animation in all its frames: what it costs to look at it.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    user_image_bytes: int = option(
        1024 * MIB,
        "What the images of a user's messages may take together, over all rooms.",
        parsers.Integer(validate=validate.Range(min=KIB)),
    )
    image_free_bytes: int = option(
        1024 * MIB,
        "What images leave free of the disk of their folder: it is the log's as well.",
        parsers.Integer(validate=validate.Range(min=0)),
    )
    image_sweep_seconds: int = option(
        HOUR_SECONDS,
        "Shortest time between two looks whether messages show an image still; after"
        " the last one it is deleted.",
        parsers.Integer(validate=validate.Range(min=1)),
    )
    image_url_secret: str | None = option(
        None,
        "Secret that signs image addresses, at least 32 bytes, the same on every"
        " node. Unset: one that the nodes share through Redis.",
        parsers.String(validate=validate.Length(min=32)),
        secret=True,
    )
    image_url_seconds: int = option(
        HOUR_SECONDS,
        "Time for which an image's address is valid.",
        parsers.Integer(validate=validate.Range(min=60)),
    )

    @property
    def development(self) -> bool:
        """Whether no key is set, so that anyone may take any name."""
        return not (self.jwt_secret or self.jwt_public_key_file or self.jwks_url)

    @property
    def opens_rooms(self) -> bool:
        """Whether to join a room that is not there makes it."""
        return self.development if self.open_rooms is None else self.open_rooms

    @property
    def page_folder(self) -> Path:
        """Where the demo page is, if it is built."""
        return self.page_dir or SOURCE_PAGE


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table: what is known of a setting."""

    name: str
    default: object
    doc: str
    parser: parsers.Field[Any]
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return f"CHATROOM_{self.name.upper()}"


def options() -> list[Option]:
    """Return the table of all settings, in the order of their definition."""
    return [
        Option(
            name=each.name,
            default=each.default,
            doc=each.metadata["doc"],
            parser=each.metadata["parser"],
            secret=each.metadata["secret"],
        )
        for each in fields(Settings)
    ]
