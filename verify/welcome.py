"""Looks whether the user's own nodes serve, before anything is put to the trial."""

from collections.abc import Mapping

import aiohttp

from realtime.start_error import StartError
from verify.connection import Connection, LostError, SilentError
from verify.site import RemotePlace, RemoteSite

ANSWER_SECONDS = 6.0
"""Deadline of one answer; nothing is at fault yet."""

HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"


async def try_places(site: RemoteSite, auth: Mapping[str, object]) -> None:
    """Have every node answer a request.

    Otherwise a node that is down would pass: clients would go on at the others.

    Args:
        site: The user's deployment.
        auth: Credentials of anybody.

    Raises:
        StartError: One of them is no node, or refuses the credentials.
    """
    for place in site.places:
        await _try_handshake(site, place)
        await _try_websocket(site, place)
        connection = Connection(lambda _name, _payload: None, connector=site.connector)
        try:
            await connection.open(place.url, auth, ["websocket"])
            ack = await connection.request("rooms", {}, seconds=ANSWER_SECONDS)
        except (LostError, SilentError) as error:
            reason = str(error).rstrip(".")
            raise StartError(
                f"{place.given} lets nobody in: {reason}. Tokens are signed with"
                " CHATROOM_JWT_SECRET; without one, development mode is taken."
            ) from error
        finally:
            await connection.close()
        if not ack.get("ok"):
            raise StartError(f"{place.given} does not serve: {ack.get('error')}")


def _http(site: RemoteSite) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    return aiohttp.ClientSession(connector=site.connector(), timeout=timeout)


async def _try_handshake(site: RemoteSite, place: RemotePlace) -> None:
    """Ask over plain HTTP: the Socket.IO client does not tell why a connect failed."""
    try:
        async with _http(site) as http, http.get(place.url + HANDSHAKE) as response:
            status, body = response.status, await response.content.read(2)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        raise StartError(f"{place.given} cannot be reached: {reason}") from error
    if body != b"0{":
        raise StartError(
            f"{place.given} is no chatroom server: it answers {HANDSHAKE} with {status}"
        )


async def _try_websocket(site: RemoteSite, place: RemotePlace) -> None:
    """Open one: a proxy that does not pass them on is no matter of the login."""
    try:
        address = place.url + WEBSOCKET
        async with _http(site) as http, http.ws_connect(address) as socket:
            await socket.receive(ANSWER_SECONDS)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = str(error) or "no answer in time"
        if isinstance(error, aiohttp.WSServerHandshakeError):
            reason = f"it answers {error.status}"
        raise StartError(
            f"{place.given} lets no WebSocket through: {reason}. A proxy must pass the"
            " headers Upgrade and Connection on."
        ) from error
