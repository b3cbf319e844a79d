"""Tokens that somebody made up, bent, stole or kept: nobody gets in with one.

Each kind of key has its own cases in ``tests/auth/test_authenticator.py``; here they
meet a real node, and what only a node can show: addresses in a header that must not be
fetched, and tokens used again.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from realtime.auth.tokens import LEEWAY_SECONDS
from tests.hostile.fuzzing import bounded
from tests.kit.holdings import holdings, returns_to
from tests.kit.nodes import Node, run_nodes
from tests.kit.raw_chat import raw_chat
from tests.kit.recording import recording
from tests.kit.waiting import wait_until

SECRET = "a secret of the hostile suite, long enough"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM: bytes = RSA_KEY.public_key().public_bytes(
    Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
)
NOW = int(time.time())
# Longer than the suite takes: tokens made at its start must be good to its end.
DAY_SECONDS = 24 * 3600
RULES = {"jwt_issuer": "https://issuer.example", "jwt_audience": "chat"}
GOOD: dict[str, Any] = {"sub": "ann", "iss": RULES["jwt_issuer"], "aud": "chat"}


def part(value: Any) -> str:
    """Return a token's part: JSON, or bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def signed(header: Any, claims: Any, key: bytes = SECRET.encode()) -> str:
    """Return a token of any header and claims, with a right HMAC under the key."""
    body = f"{part(header)}.{part(claims)}"
    mac = hmac.digest(key, body.encode(), hashlib.sha256)
    return f"{body}.{part(mac)}"


HS256 = {"alg": "HS256", "typ": "JWT"}


def claims(**changed: Any) -> dict[str, Any]:
    """Return good claims but for these; None leaves one out."""
    merged = {**GOOD, "exp": NOW + DAY_SECONDS, **changed}
    return {name: value for name, value in merged.items() if value is not None}


def ending_soon() -> int:
    """Return an expiry that ends a session in four or five seconds."""
    return int(time.time()) + 5 - LEEWAY_SECONDS


def text_of(**changed: Any) -> bytes:
    return json.dumps(claims(**changed)).encode()


BAD: dict[str, tuple[Any, Any]] = {
    "none": ({"alg": "none"}, claims()),
    "None": ({"alg": "None"}, claims()),
    "no algorithm": ({"typ": "JWT"}, claims()),
    "a list of algorithms": ({"alg": ["HS256", "none"]}, claims()),
    "another hash": ({"alg": "HS512"}, claims()),
    "RS256": ({"alg": "RS256"}, claims()),
    "critical extension": ({**HS256, "crit": ["x"], "x": 1}, claims()),
    "detached payload": ({**HS256, "crit": ["b64"], "b64": False}, claims()),
    "encrypted": ({"alg": "dir", "enc": "A256GCM"}, claims()),
    "a header that is a list": (["HS256"], claims()),
    "a header that is no JSON": (b"\xff\xfe", claims()),
    "claims that are a list": (HS256, ["ann"]),
    "claims that are no JSON": (HS256, b"\x00"),
    "deep claims": (HS256, b"[" * 4_000),
    "another issuer": (HS256, claims(iss="https://issuer.example.evil")),
    "an issuer that contains it": (HS256, claims(iss=f"x{RULES['jwt_issuer']}")),
    "a list of issuers": (HS256, claims(iss=[RULES["jwt_issuer"]])),
    "no issuer": (HS256, claims(iss=None)),
    "another audience": (HS256, claims(aud="chat2")),
    "an audience within a word": (HS256, claims(aud="a chat b")),
    "an audience that is an object": (HS256, claims(aud={"chat": 1})),
    "no audience": (HS256, claims(aud=None)),
    "no expiry": (HS256, claims(exp=None)),
    "expired": (HS256, claims(exp=NOW - LEEWAY_SECONDS - 60)),
    "an expiry that is a text": (HS256, claims(exp="tomorrow")),
    "an expiry that is NaN": (
        HS256,
        text_of(exp=1).replace(b'"exp": 1', b'"exp": NaN'),
    ),
    "an expiry that is a list": (HS256, claims(exp=[NOW + DAY_SECONDS])),
    "an expiry that is no number": (HS256, claims(exp={})),
    "not yet valid": (HS256, claims(nbf=NOW + DAY_SECONDS)),
    "issued in the future": (HS256, claims(iat=NOW + DAY_SECONDS)),
    "no subject": (HS256, claims(sub=None)),
    "a fraction as subject": (HS256, claims(sub=5.5)),
    "a number too long for a subject": (HS256, claims(sub=10**300)),
    "true as subject": (HS256, claims(sub=True)),
    "a list as subject": (HS256, claims(sub=["ann"])),
    "an object as subject": (HS256, claims(sub={"$ne": ""})),
    "an empty subject": (HS256, claims(sub="")),
    "a long subject": (HS256, claims(sub="x" * 129)),
    "a line break in the subject": (HS256, claims(sub="ann\nbob")),
    "a NUL in the subject": (HS256, claims(sub="ann\x00")),
    "half a character": (HS256, text_of(sub="S").replace(b'"S"', b'"\\ud800"')),
}


@pytest.fixture
async def node(
    redis_url: str, clean_log: pytest.LogCaptureFixture
) -> AsyncIterator[Node]:
    """A node that demands issuer, audience and expiry; it returns to how it was."""
    settings = {"jwt_secret": SECRET, "require_exp": True, **RULES}
    async with run_nodes(1, redis_url, **settings) as (node,):
        before = holdings(node)
        yield node
        await returns_to(node, before)


async def refusal(node: Node, auth: object) -> dict[str, Any]:
    """Return the error that a connect is answered with."""
    async with raw_chat(node) as chat:
        answer = await chat.connect(auth)
        assert "sid" not in answer, f"let in with {str(auth)[:200]}"
        assert len(json.dumps(answer)) < 600, "a refusal is no echo"
        error: dict[str, Any] = answer["data"]
        return error


async def test_a_good_token_is_let_in(node: Node) -> None:
    """Else the refusals below would prove nothing."""
    async with raw_chat(node) as chat:
        assert "sid" in await chat.connect({"token": signed(HS256, claims())})


@pytest.mark.parametrize("what", BAD)
async def test_bad_tokens_are_refused(node: Node, what: str) -> None:
    """Signed with the right secret or not, a token that breaks a rule lets nobody in.

    The same client gets in afterwards with a good one.
    """
    error = await refusal(node, {"token": signed(*BAD[what])})
    assert error["code"] == "unauthorized"
    assert error["reason"] in ("token_invalid", "token_expired")
    assert error["temporary"] is False


async def test_what_stands_in_a_token_s_place(node: Node) -> None:
    """Huge ones, lists, objects, parts too few or too many: refused alike."""
    good = signed(HS256, claims())
    header, body, mac = good.split(".")
    for odd in (
        "x" * 16_385,
        # Longer packets are closed unread: tests/engineio/test_unauthenticated.py.
        "x" * 30_000,
        "." * 100,
        "..",
        f"{header}.{body}",
        f"{header}.{body}.",
        f"{good}.{mac}",
        f"{header}.{body}.{mac[:-2]}",
        f"{header}..{mac}",
        f" {good}",
        f"{good}\n",
        f"Bearer {good}",
        good.replace(".", "\u3002"),
        [good],
        {"token": good},
        5,
        True,
    ):
        assert (await refusal(node, {"token": odd}))["code"] == "unauthorized", odd


@bounded(150)
@given(header=st.binary(max_size=30), body=st.binary(max_size=60), right=st.booleans())
async def test_tokens_of_any_bytes(
    node: Node, header: bytes, body: bytes, right: bool
) -> None:
    """Whatever is in the parts, and even with the right signature: refused."""
    first: Any = HS256 if right else header
    error = await refusal(node, {"token": signed(first, body)})
    assert error["code"] == "unauthorized"


async def test_no_address_in_a_header_is_asked_for(
    redis_url: str, tmp_path: Path, clean_log: pytest.LogCaptureFixture
) -> None:
    """`jku`, `x5u`, `jwk` and `kid` choose no key: not by address, path or value."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path_qs)
        return web.json_response({"keys": []})

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    key_file = tmp_path / "public.pem"
    key_file.write_bytes(PEM)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(other.public_key()))
    server = TestServer(app)
    await server.start_server()
    try:
        address = str(server.make_url("/keys.json"))
        headers: list[dict[str, Any]] = [
            {"jku": address, "kid": "evil"},
            {"x5u": address},
            {"jwk": own},
            {"kid": address},
            {"kid": "../../../../dev/null"},
            {"kid": "x' UNION SELECT 'x"},
            {"kid": {"$ne": None}},
            {"kid": "\x00"},
            {"x5c": [PEM.decode()]},
        ]
        kinds = {"jwt_public_key_file": key_file}, {"jwks_url": address}
        for settings in kinds:
            async with run_nodes(1, redis_url, **settings) as (node,):
                asked.clear()
                for header in headers:
                    if isinstance(header.get("kid"), dict):
                        token = signed({"alg": "RS256", **header}, claims())
                    else:
                        token = jwt.encode(claims(), other, "RS256", headers=header)
                    error = await refusal(node, {"token": token})
                    assert error["code"] in ("unauthorized", "unavailable"), header
                allowed = ["/keys.json"] if "jwks_url" in settings else []
                assert asked == allowed, "only the configured set was fetched, once"
    finally:
        await server.close()


async def test_a_public_key_is_no_secret_at_a_node(
    redis_url: str, tmp_path: Path, clean_log: pytest.LogCaptureFixture
) -> None:
    """HS256 with the public key's bytes as the secret, in each spelling of the file."""
    key_file = tmp_path / "public.pem"
    key_file.write_bytes(PEM)
    async with run_nodes(1, redis_url, jwt_public_key_file=key_file) as (node,):
        for secret in (PEM, PEM.strip(), PEM.replace(b"\n", b"\r\n")):
            token = signed(HS256, claims(), secret)
            assert (await refusal(node, {"token": token}))["reason"] == "token_invalid"


async def test_a_token_ends_for_good(node: Node) -> None:
    """Used again after its end it opens nothing, and refreshes nothing."""
    token = signed(HS256, claims(exp=ending_soon()))
    async with raw_chat(node) as chat:
        assert "sid" in await chat.connect({"token": token})
        assert "unauthorized" in await chat.frame("42/chat,")
        await chat.frame("41/chat,")
        # Its connection is open, and it is nobody's now.
        await chat.send('42/chat,9["join",{"room":"r"}]')
        answer = await chat.connect({"token": token})
        assert answer["data"]["reason"] == "token_expired"
        assert not any(frame.startswith("43") for frame in chat.received)
    async with recording(node, "ann", {"token": signed(HS256, claims())}) as ann:
        error = await ann.refused("refresh", {"token": token})
        assert error["reason"] == "token_expired"


async def test_refresh_changes_nothing_but_the_end(node: Node) -> None:
    """Not the user, not by a bad token, and what is refused leaves the session be."""
    until = int(time.time()) + 600
    async with recording(
        node, "ann", {"token": signed(HS256, claims(exp=until))}
    ) as ann:
        (session,) = node.services.sessions
        for bad in (
            signed(HS256, claims(sub="bob", exp=until + 600)),
            signed({"alg": "none"}, claims(exp=until + 600)),
            signed(HS256, claims(iss="x", exp=until + 600)),
            signed(HS256, claims(exp=until + 600), b"another secret" * 3),
        ):
            error = await ann.refused("refresh", {"token": bad})
            assert error["code"] == "unauthorized"
        assert (session.user, session.expires_at) == ("ann", until + LEEWAY_SECONDS)
        for extra in ({"user": "bob"}, {"sub": "bob"}, {"expiresAt": 2**52}):
            good = signed(HS256, claims(exp=until + 600))
            error = await ann.refused("refresh", {"token": good, **extra})
            assert error["code"] == "invalid"
        assert session.expires_at == until + LEEWAY_SECONDS


async def test_an_older_token_is_worth_what_it_says(node: Node) -> None:
    """After a refresh the older one still lets in, until its own end and no longer.

    Tokens are not called back: whoever issues them gives them short lives.
    """
    short = signed(HS256, claims(exp=ending_soon()))
    async with recording(node, "ann", {"token": short}) as ann:
        await ann.do("refresh", {"token": signed(HS256, claims())})
        async with recording(node, "ann", {"token": short}) as again:
            await again.next("token_expired")
            await wait_until(lambda: not again.sio.connected, "the older one ended")
        assert (await refusal(node, {"token": short}))["reason"] == "token_expired"
        assert await ann.do("rooms")
