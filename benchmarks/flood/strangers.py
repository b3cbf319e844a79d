"""What strangers send, who have no token: one :class:`Attack` a kind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.flood.frames import UPGRADE, frame, post

# Answers without a body of their own; none needs a token.
PATHS: Final = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/nothing",
    "/assets/nothing.js",
    "/api/me/chats",
    f"/images/{'a' * 64}.png?expires=1&signature=x",
    "/socket.io/?EIO=3&transport=polling",
)
POLLING: Final = "/socket.io/?EIO=4&transport=polling"
BAD_TOKEN: Final = frame(f'40/chat,{{"token":"{"x" * 40}.{"y" * 200}.{"z" * 43}"}}')

# Just below what is taken of somebody unknown.
BELOW_LIMIT_BYTES: Final = 32_000
MIB: Final = 1 << 20

# A step is bytes, or is made of what the step before was answered.
Step = bytes | Callable[[bytes], bytes]


class Attack(NamedTuple):
    """What each of some connections does.

    Attributes:
        says: What it is, for the table.
        connections: How many at a time.
        steps: Written one after the other, each when the one before was answered; a
            list: of these one each, in turn.
        then: What follows the last answer: ``hold`` the connection, ``close`` it and
            come again, ``repeat`` the last step, or ``pour`` it without waiting.
        reads: Whether answers are read.
    """

    says: str
    connections: int
    steps: tuple[Step | list[bytes], ...]
    then: str
    reads: bool = True


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request without a body."""
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers)
    return "\r\n".join((*lines, "", "")).encode()


def sid_of(answer: bytes) -> str:
    """Return the session that a handshake began; anything if it was refused."""
    return answer.partition(b'"sid":"')[2].partition(b'"')[0].decode()


def _half_body(answer: bytes) -> bytes:
    whole = post(POLLING, sid_of(answer), "4" * BELOW_LIMIT_BYTES)
    return whole[:-100]


def _full_body(answer: bytes) -> bytes:
    return post(POLLING, sid_of(answer), "\x1e".join(["43/nobody,1[]"] * 2_000))


# As through a proxy: nobody takes them for an operator on this machine.
_GETS: Final = [
    get(path, f"X-Forwarded-For: 198.51.100.{number}")
    for number in range(20)
    for path in PATHS
]
_OPTIONS: Final = get(
    POLLING,
    "Origin: http://127.0.0.1",
    "Access-Control-Request-Method: POST",
    method="OPTIONS",
)
_DEEP: Final = frame(f"40/chat,{'[' * BELOW_LIMIT_BYTES}")
_WIDE: Final = frame(
    f"40/chat,{{{','.join(f'{chr(34)}{n}{chr(34)}:1' for n in range(3_000))}}}"
)


def attacks(page: Path) -> Mapping[str, Attack]:
    """Return all kinds.

    Args:
        page: The folder of the built page, whose longest file is asked for.
    """
    files = [each for each in (page / "assets").glob("*") if each.is_file()]
    longest = max(files, key=lambda each: each.stat().st_size).name
    asset = get(f"/assets/{longest}")
    return {
        "sockets": Attack("sockets that say nothing", 2_000, (), "hold"),
        "accepts": Attack("connect and hang up", 32, (), "close"),
        "reconnects": Attack(
            "handshake, bad token, come again", 16, (UPGRADE, BAD_TOKEN), "close"
        ),
        "bad tokens": Attack(
            "bad tokens, over and over", 32, (UPGRADE, BAD_TOKEN), "repeat"
        ),
        "handshakes": Attack(
            "ever new polling sessions", 32, (get(POLLING),), "repeat"
        ),
        "gets": Attack("GETs of all kinds", 64, (_GETS,), "repeat"),
        "new gets": Attack("the same, a connection each", 32, (_GETS,), "close"),
        "pipelined": Attack(
            "the same, without waiting", 64, (b"".join(_GETS) * 5,), "pour"
        ),
        "preflights": Attack("OPTIONS", 64, (_OPTIONS,), "repeat"),
        "assets": Attack("the page's script", 32, (asset,), "repeat"),
        "unread assets": Attack(
            "the same, never read", 500, (asset * 50,), "hold", reads=False
        ),
        "api posts": Attack(
            "POSTs to the API",
            64,
            (
                get("/api/chats/a/message", "Content-Length: 60000", method="POST")
                + b"x" * 60_000,
            ),
            "repeat",
        ),
        "slow heads": Attack(
            "heads without an end",
            2_000,
            (get("/", f"X: {'x' * BELOW_LIMIT_BYTES}")[:-4],),
            "hold",
        ),
        "big heads": Attack(
            "heads of 1 MiB", 32, (get("/", *[f"X: {'x' * 8_000}"] * 131),), "close"
        ),
        "slow bodies": Attack(
            "polling bodies without an end", 1_000, (get(POLLING), _half_body), "hold"
        ),
        "bodies": Attack(
            "polling bodies of 2,000 packets", 32, (get(POLLING), _full_body), "close"
        ),
        "big packets": Attack(
            "packets of 12 MiB", 32, (UPGRADE, frame("40" + "x" * 12 * MIB)), "close"
        ),
        "deep JSON": Attack("32,000 [ as CONNECT", 32, (UPGRADE, _DEEP), "close"),
        "wide JSON": Attack("3,000 fields as CONNECT", 32, (UPGRADE, _WIDE), "close"),
    }
