"""What is wrong on the way to a server: asked from outside, as its clients ask."""

import asyncio
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from realtime.ops.findings import Findings

# For each question.
ANSWER_SECONDS: Final = 10.0

# Requests of one session, each over a connection of its own: with two machines and none
# of them chosen by address, all of them reach the same one once in 128 times.
TRIES: Final = 8

# Time to renew a certificate.
LEAST_DAYS: Final = 14
DAY_SECONDS: Final = 24 * 3600

HTTPS_PORT: Final = 443

_POLLING: Final = {"EIO": "4", "transport": "polling"}
_WEBSOCKET: Final = {"EIO": "4", "transport": "websocket"}

# Engine.IO: the first packet of a server, an answer to a heartbeat, and the end.
_OPEN: Final = "0{"
_PONG: Final = "3"
_CLOSE: Final = "1"


async def of_server(url: str) -> Findings:
    """Return what keeps clients from a server.

    Args:
        url: Where they see it, with its public path: ``https://example.org/chat``.
    """
    found = Findings("server")
    where = f"{url.rstrip('/')}/socket.io/"
    limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    trusted = ssl.create_default_context()
    # A connection for each request, as different as a proxy may make them.
    connector = aiohttp.TCPConnector(force_close=True, ssl=trusted)
    async with aiohttp.ClientSession(timeout=limit, connector=connector) as http:
        try:
            await _look_at_certificate(url, trusted, found)
            sid = await _look_at_handshake(http, where, found)
            if sid is not None:
                await _look_at_polling(http, where, sid, found)
                await _look_at_origin(http, where, found)
                await _look_at_websocket(http, where, found)
        except ssl.SSLCertVerificationError as error:
            found.error(f"The certificate of {url} is refused: {error.verify_message}.")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            why = str(error) or type(error).__name__
            found.error(f"{url} cannot be reached: {why}.")
    return found


async def _look_at_handshake(
    http: aiohttp.ClientSession, where: str, found: Findings
) -> str | None:
    """Begin a session; return its id."""
    async with http.get(where, params=_POLLING) as answer:
        text = await answer.text(errors="replace")
        if answer.status == 503:
            found.error(
                f"{where} answers 503: no node is ready behind it; its /readyz says"
                " why."
            )
        elif answer.status != 200 or not text.startswith(_OPEN):
            found.error(
                f"{where} answers {answer.status} and no Socket.IO: the path, or the"
                " proxy's way to the nodes, is wrong, or it does not pass on Host."
            )
        else:
            return text.partition('"sid":"')[2].partition('"')[0]
    return None


async def _look_at_certificate(
    url: str, trusted: ssl.SSLContext, found: Findings
) -> None:
    place = urlsplit(url)
    if place.scheme != "https":
        return
    async with asyncio.timeout(ANSWER_SECONDS):
        _reader, writer = await asyncio.open_connection(
            place.hostname,
            place.port or HTTPS_PORT,
            ssl=trusted,
        )
    tls: Any = writer.get_extra_info("ssl_object")
    ends = ssl.cert_time_to_seconds(tls.getpeercert()["notAfter"])
    writer.transport.abort()
    days = (ends - time.time()) / DAY_SECONDS
    if days < LEAST_DAYS:
        found.warning(
            f"The certificate of {place.hostname} ends in {days:.0f} days: renew it."
        )


async def _look_at_polling(
    http: aiohttp.ClientSession, where: str, sid: str, found: Findings
) -> None:
    params = {**_POLLING, "sid": sid}
    for _ in range(TRIES):
        async with http.post(where, params=params, data=_PONG) as answer:
            if answer.status != 200:
                found.error(
                    "Requests of one polling session reach different machines: let the"
                    " proxy choose by the client's address (ip_hash, balance source),"
                    " or clients use WebSocket alone."
                )
                return
    async with http.post(where, params=params, data=_CLOSE):
        pass


async def _look_at_origin(
    http: aiohttp.ClientSession, where: str, found: Findings
) -> None:
    place = urlsplit(where)
    headers = {"Origin": f"{place.scheme}://{place.netloc}"}
    async with http.get(where, params=_POLLING, headers=headers) as answer:
        if answer.status in (400, 403):
            found.error(
                f"A page of {headers['Origin']} is refused: the proxy has to pass on"
                " Host and X-Forwarded-Proto and to be in CHATROOM_TRUSTED_PROXIES, or"
                " CHATROOM_ALLOWED_ORIGINS lacks it; the log names what was seen."
            )


async def _look_at_websocket(
    http: aiohttp.ClientSession, where: str, found: Findings
) -> None:
    try:
        async with http.ws_connect(where, params=_WEBSOCKET) as socket:
            first = await socket.receive_str(timeout=ANSWER_SECONDS)
            if first.startswith(_OPEN):
                return
            why = "what comes is no Socket.IO"
    except aiohttp.WSServerHandshakeError as error:
        why = f"the answer is {error.status}"
    except (TypeError, TimeoutError):
        why = "nothing comes"
    found.error(
        f"WebSockets are not passed on ({why}): the proxy has to pass on Upgrade and"
        " Connection over HTTP/1.1, and not to buffer."
    )
