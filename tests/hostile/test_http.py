"""The HTTP side: methods, paths, headers and ids that nobody meant."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.fuzzing import bounded
from tests.hostile.scene import Scene
from tests.kit.nodes import Node
from tests.kit.waiting import DEADLINE_SECONDS, MS

POLL = "/socket.io/?EIO=4&transport=polling"
PATHS = (
    "/",
    "*",
    "/..",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%2f..%2fsetup.cfg",
    "/assets/%00",
    "/assets/" + "a" * 5_000,
    "/images/" + "0" * 64 + ".png?expires=1&signature=x",
    "/images/" + "0" * 64 + ".png?expires=%ff&signature=%ff",
    "/images/..%2f" + "0" * 64 + ".png",
    "/metrics",
    "/healthz",
    "/readyz",
    "/metrics/../metrics",
    "//evil.example/socket.io/",
    "http://evil.example/socket.io/?EIO=4&transport=polling",
    "evil.example:443",
    "/socket.io/",
    "/socket.io/?EIO=4",
    "/socket.io/?EIO=3&transport=polling",
    "/socket.io/?EIO=4&EIO=3&transport=polling&transport=x",
    "/socket.io/?EIO=4&transport=websocket",
    "/socket.io/?EIO=4&transport=polling&j=0",
    f"{POLL}&sid=",
    f"{POLL}&sid=%00",
    f"{POLL}&sid=../../x",
    f"{POLL}&sid=__proto__",
    f"{POLL}&sid=%ff%fe",
    f"{POLL}&sid=a&sid=b",
    f"{POLL}&sid=" + "x" * 5_000,
    f"{POLL}&t=%0d%0aSet-Cookie:%20a=b",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")
# aiohttp cannot quote it in its own refusal, and answers 500; our log stays clean.
NO_EXPECTATION = b"Expect: \xff\r\n"
HEADERS = (
    b"",
    b"Authorization: Bearer \xff\xfe\r\n",
    b"Authorization: Bearer " + b"x" * 4_000 + b"\r\n",
    b"Authorization: Basic \r\n",
    b"Origin: \xff\r\n",
    b"Origin: http://\xc3\xa9.example\r\n",
    b"Access-Control-Request-Headers: \xff\xfe, x\r\n",
    b"X-Forwarded-For: \xff, 127.0.0.1\r\n",
    b"X-Forwarded-Proto: javascript\r\nX-Forwarded-Host: \xff\r\n",
    b"Forwarded: for=127.0.0.1\r\n",
    b"Content-Type: \xff\r\nContent-Encoding: br\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Content-Encoding: \xff\r\n",
    b"Accept-Encoding: gzip, \xff\r\n",
    b"If-None-Match: \xff\r\n",
    b'If-None-Match: "' + b"0" * 64 + b'.png"\r\n',
    b"If-Modified-Since: \xff\r\n",
    b"Range: bytes=0-,-1,9999999999999999999-\r\n",
    b"Cookie: \xff=\xff; io=../../x\r\n",
    b"Expect: 100-continue\r\n",
    NO_EXPECTATION,
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; \xff\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: \xff\r\n",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
)
HOSTS = (
    b"127.0.0.1",
    b"localhost",
    b"",
    b"[::1",
    b"a b",
    b"\xff",
    b"evil.example:99999",
    b"a,b",
)
BODIES = (b"", b"4", b"\x1f\x8b\x08junk", b"\xff" * 100)


@pytest.fixture
def node_settings() -> dict[str, Any]:
    """Who opens a session and never comes back is given up within five seconds."""
    return {
        "ping_interval_seconds": 1_000 * MS,
        "ping_timeout_seconds": 3_000 * MS,
        "metrics_token": "a-metrics-token-of-the-suite",
    }


async def request(node: Node, raw: bytes) -> bytes:
    """Send bytes on a connection of their own and return all that is answered."""
    address = urlsplit(node.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(raw)
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = await reader.read(65_536)
    except ConnectionResetError:
        head = b""
    finally:
        writer.close()
    return head


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request of parts that servers have stumbled over."""
    method = draw(st.sampled_from((*METHODS, "CONNECT")))
    path = draw(st.sampled_from(PATHS))
    host = draw(st.sampled_from(HOSTS))
    more = b"".join(draw(st.lists(st.sampled_from(HEADERS), max_size=2)))
    body = draw(st.sampled_from(BODIES))
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return (
        f"{method} {path} HTTP/1.1\r\n".encode()
        + b"Host: "
        + host
        + b"\r\nConnection: close\r\n"
        + more
        + length
        + b"\r\n"
        + body
    )


def fits(status: int, raw: bytes) -> bool:
    """Whether no failure of the node's is told; a Redis that is slow now is none."""
    is_readiness = status == 503 and b" /readyz " in raw
    return status < 500 or NO_EXPECTATION in raw or is_readiness


@bounded(500)
@given(raw=requests())
async def test_any_request_is_answered_without_a_failure(
    scene: Scene, raw: bytes
) -> None:
    """A status below 500, or the connection closed; no header of the client's own."""
    head, _, body = (await request(scene.node, raw)).partition(b"\r\n\r\n")
    if not head:
        return
    status = int(head.split()[1])
    assert fits(status, raw), (raw, head, body[:300])
    assert b"Set-Cookie" not in head
    assert b"Traceback" not in body


async def test_any_header_on_every_route(scene: Scene) -> None:
    """No header makes a route fail, whatever its bytes; others are served."""
    for headers in HEADERS:
        for path in ("/", "/metrics", "/healthz", "/readyz", POLL, *PATHS[5:9]):
            for method in ("GET", "OPTIONS"):
                raw = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
                raw += headers + b"Connection: close\r\n\r\n"
                head = await request(scene.node, raw)
                assert not head or fits(int(head.split()[1]), raw), (raw, head)
