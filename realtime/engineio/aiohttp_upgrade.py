"""Taking a connection over from aiohttp, and the private names of aiohttp in use.

After a WebSocket handshake aiohttp has nothing more to do with the connection, but
would keep its parser, request, handler task and writer as long as it lives: 31 KB
instead of 8 (``docs/decisions``).
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp._websocket.helpers import websocket_mask
from aiohttp.abc import AbstractStreamWriter

__all__ = (
    "Detached",
    "is_websocket_handshake",
    "switch_protocols",
    # Its compiled function, for the parser of frames.
    "websocket_mask",
)

# RFC 6455 section 1.3.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# RFC 9110 section 5.6.2.
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# RFC 6455 section 4.1: the nonce's length in bytes.
_KEY_BYTES: Final = 16


class Detached(web.StreamResponse):
    """The response of a request whose connection aiohttp no longer has.

    aiohttp logs it, prepares nothing and writes nothing.
    """

    def __init__(self) -> None:
        super().__init__(status=101)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing: the status line was written when the connection was taken."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the connection goes on."""


def is_websocket_handshake(request: web.Request) -> bool:
    """Return whether a request asks for a WebSocket as RFC 6455 section 4.2.1 says."""
    headers = request.headers
    if request.method != "GET" or headers.get("Sec-WebSocket-Version") != "13":
        return False
    if headers.get("Upgrade", "").strip().lower() != "websocket":
        return False
    # aiohttp's parser stops at such a request; if it did not, what follows would be
    # read as HTTP.
    if not request._message.upgrade:
        return False
    try:
        key = base64.b64decode(headers.get("Sec-WebSocket-Key", ""), validate=True)
    except ValueError:
        # No base64, or not even ASCII.
        return False
    return len(key) == _KEY_BYTES


def switch_protocols(
    request: web.Request, protocol: asyncio.Protocol, headers: Mapping[str, str]
) -> bytes:
    """Accept the WebSocket, and give the connection to ``protocol``.

    ``protocol.connection_made`` is called. The handler must return :class:`Detached`
    next.

    Returns:
        What the client sent in one segment with its handshake: for
        ``protocol.data_received``, as soon as it can be handled like all that follows.

    Raises:
        ConnectionResetError: when the client is gone already.
    """
    http = request.protocol
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("client left during the handshake")
    tail: bytes = http._message_tail
    http._message_tail = b""
    transport.set_protocol(protocol)
    transport.write(_accept(request, headers))
    # To aiohttp's protocol the connection ends here, but without its transport, which
    # it would close. Its handler task ends when the response has been "sent".
    http.transport = None
    http.connection_lost(None)
    if not transport.is_reading():
        transport.resume_reading()
    protocol.connection_made(transport)
    return tail


def _accept(request: web.Request, headers: Mapping[str, str]) -> bytes:
    key = request.headers["Sec-WebSocket-Key"].encode()
    digest = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
        *_subprotocol(request),
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    # As aiohttp read them: bytes that are no UTF-8 came in as surrogates.
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _subprotocol(request: web.Request) -> list[str]:
    """Return the header that accepts the first subprotocol offered, as in Node.

    A browser that offered some fails the connection unless one is taken (RFC 6455
    section 4.1); what they are called makes no difference here.
    """
    offered = (
        request.headers.get("Sec-WebSocket-Protocol", "").partition(",")[0].strip()
    )
    if not _TOKEN.fullmatch(offered):
        return []
    return [f"Sec-WebSocket-Protocol: {offered}"]
