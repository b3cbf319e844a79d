"""A run on the user's own nodes: each behind a line, each tried before it begins."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from redis.asyncio import Redis
from redis.exceptions import RedisError

from realtime.errors import StartError
from verify.client.connection import Connection, LostError
from verify.harness.proxy import FaultProxy
from verify.harness.sentinel import async_client
from verify.harness.site import Place, Site
from verify.plan import Plan

PORTS = {"http": 80, "https": 443}

# Deadline of one answer; nothing is at fault yet.
ANSWER_SECONDS = 6.0

WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


@asynccontextmanager
async def remote_site(plan: Plan) -> AsyncIterator[Site]:
    """Put a line before each node of the user's own, and have each answer a request.

    Otherwise a node that is down would pass: clients would go on at the others.

    Args:
        plan: Names the nodes, their Redis, and whom to trust.

    Raises:
        StartError: One of them is no node, or refuses the credentials.
    """
    tls = ssl.create_default_context()
    try:
        tls.load_verify_locations(plan.ca) if plan.ca else None
    except (ssl.SSLError, OSError) as error:
        raise StartError(f"--ca: {plan.ca} holds no certificates: {error}") from error
    ports: dict[tuple[str, int], int] = {}

    def connector() -> aiohttp.TCPConnector:
        # It leads to the lines; names and TLS stay as told.
        return aiohttp.TCPConnector(resolver=_ToLines(ports), ssl=tls)

    async with AsyncExitStack() as stack:
        redis = None
        if plan.redis_url is not None:
            redis = await _reached(plan.redis_url)
            stack.push_async_callback(redis.aclose)
        places = []
        for url in plan.urls:
            parts = _parts(url)
            host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
            line = FaultProxy(partial(asyncio.open_connection, host, port))
            stack.push_async_callback(line.aclose)
            ports[host, port] = await line.listen_tcp()
            own = f"{parts.scheme}://127.0.0.1:{ports[host, port]}"
            # For an address no name is looked up, and none has to be kept for a proxy;
            # a certificate is good for the line only if it is one of this machine.
            is_address = host.replace(".", "").isdigit() or ":" in host
            places.append(Place(url, line, own if is_address else url.rstrip("/")))
        site = Site(places=places, redis=lambda: redis, connector=connector)
        for place in places:
            await _try_websocket(site, place)
            await _try_login(site, place, plan.make_auth("verify"))
        yield site


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise StartError(f"{url} is not the address of a server: http://host:port.")
    if parts.path.strip("/"):
        raise StartError(f"{url} has a path; a server is at the root of its host.")
    return parts


async def _reached(url: str) -> Redis:
    try:
        redis = async_client(url)
    except ValueError as error:
        raise StartError(f"--redis: {error}") from error
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        await redis.aclose()
        raise StartError(f"--redis cannot be reached: {_reason(error)}") from error
    return redis


async def _try_websocket(site: Site, place: Place) -> None:
    """Open one: the Socket.IO client does not tell why a connect failed."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    connector = site.connector() if site.connector else None
    address = place.url + WEBSOCKET
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.ws_connect(address) as web_socket,
        ):
            said = await web_socket.receive_str(timeout=ANSWER_SECONDS)
    except aiohttp.WSServerHandshakeError as error:
        raise StartError(
            f"{place.name} lets no WebSocket through: it answers {error.status}. It is"
            " no chatroom server, or a proxy that does not pass the headers Upgrade and"
            " Connection on."
        ) from error
    except (aiohttp.ClientError, OSError, TypeError) as error:
        # TimeoutError is an OSError; TypeError is an end where a text was due.
        raise StartError(f"{place.name} cannot be reached: {_reason(error)}") from error
    if not said.startswith("0{"):
        raise StartError(f"{place.name} is no chatroom server.")


async def _try_login(site: Site, place: Place, auth: Mapping[str, object]) -> None:
    connection = Connection(connector=site.connector)
    try:
        await connection.open(place.url, auth, ["websocket"])
        ack = await connection.request("rooms", {}, seconds=ANSWER_SECONDS)
    except LostError as error:
        reason = str(error).rstrip(".")
        raise StartError(
            f"{place.name} lets nobody in: {reason}. Tokens are signed with"
            " CHATROOM_JWT_SECRET; without one, development mode is taken."
        ) from error
    finally:
        await connection.close()
    if not ack.get("ok"):
        raise StartError(f"{place.name} does not serve: {ack.get('error')}")


def _reason(error: Exception) -> str:
    return str(error) or "no answer in time"


class _ToLines(AbstractResolver):
    """Finds each server's line in the server's place."""

    def __init__(self, ports: Mapping[tuple[str, int], int]) -> None:
        self._ports = ports

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._ports[host, port],
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Nothing is held."""
