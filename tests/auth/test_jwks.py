"""Keys from a JWKS URL: fetched from a real server, remembered when it fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from realtime.auth import jwks
from realtime.auth.authenticator import Authenticator, TokenError
from realtime.auth.jwks import (
    FRESH_SECONDS,
    LIMIT_BYTES,
    PAUSE_SECONDS,
    STALE_SECONDS,
    JwksKeys,
)
from realtime.auth.keys import VerifyKey
from realtime.errors import UnavailableError
from tests.kit.clock import Clock
from tests.kit.waiting import wait_until

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(
    algorithm: str, private: Any, kid: str | None, **members: Any
) -> dict[str, Any]:
    method = jwt.get_algorithm_by_name(algorithm)
    entry: dict[str, Any] = method.to_jwk(private.public_key(), as_dict=True)
    return {**entry, **({} if kid is None else {"kid": kid}), **members}


RSA_JWK = jwk("RS256", RSA_KEY, "r")
EC_JWK = jwk("ES256", EC_KEY, "e")
ED_JWK = jwk("EdDSA", ED_KEY, "d")


class KeyServer:
    """A JWKS server on loopback whose answer the test chooses."""

    def __init__(self) -> None:
        self.keys: list[Any] = [RSA_JWK, EC_JWK, ED_JWK]
        self.body: bytes | None = None
        self.status = 200
        self.fetches = 0
        self.free = asyncio.Event()
        self.free.set()
        self.url = ""

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer as the test says."""
        self.fetches += 1
        await self.free.wait()
        body = self.body or json.dumps({"keys": self.keys}).encode()
        return web.Response(body=body, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    server = KeyServer()
    app = web.Application()
    app.router.add_get("/jwks", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield server
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def auth(server: KeyServer, clock: Clock) -> AsyncIterator[Authenticator]:
    auth = Authenticator(JwksKeys(server.url, clock=clock))
    yield auth
    await auth.aclose()


def token(private: Any, algorithm: str, kid: str | None) -> dict[str, str]:
    headers = {} if kid is None else {"kid": kid}
    signed = jwt.encode({"sub": "ann"}, private, algorithm=algorithm, headers=headers)
    return {"token": signed}


ANN = token(RSA_KEY, "RS256", "r")


async def refused(auth: Authenticator, given: dict[str, str]) -> str | None:
    with pytest.raises(TokenError) as caught:
        await auth.authenticate(given)
    return caught.value.reason


async def test_a_key_is_found_by_its_id(auth: Authenticator, server: KeyServer) -> None:
    """Keys of all three kinds verify; the set is fetched once for all of them."""
    for private, algorithm, kid in (
        (RSA_KEY, "RS256", "r"),
        (EC_KEY, "ES256", "e"),
        (ED_KEY, "EdDSA", "d"),
    ):
        assert (await auth.authenticate(token(private, algorithm, kid))).user == "ann"
    assert server.fetches == 1


async def test_a_key_verifies_its_own_algorithm_only(auth: Authenticator) -> None:
    """A token that names one key and is signed by another is refused."""
    assert await refused(auth, token(EC_KEY, "ES256", "r")) == "token_invalid"
    secret = "the modulus of a key is public, so it is no secret"
    assert await refused(auth, token(secret, "HS256", "r")) == "token_invalid"
    assert await refused(auth, token(RSA_KEY, "RS256", None)) == "token_invalid"


async def test_a_single_key_needs_no_id(auth: Authenticator, server: KeyServer) -> None:
    """A set of one key serves tokens without `kid`."""
    server.keys = [jwk("ES256", EC_KEY, None)]
    assert await auth.authenticate(token(EC_KEY, "ES256", None))


async def test_a_new_key_is_fetched_when_first_seen(
    auth: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Rotation needs no restart; made-up ids do not make the server fetch each time."""
    server.keys = [RSA_JWK]
    await auth.authenticate(ANN)
    clock.now += PAUSE_SECONDS
    server.keys = [RSA_JWK, EC_JWK]
    assert await auth.authenticate(token(EC_KEY, "ES256", "e"))
    for number in range(20):
        assert await refused(auth, token(EC_KEY, "ES256", f"made-up-{number}"))
    assert server.fetches == 2


async def test_old_keys_serve_while_the_key_server_fails(
    auth: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Who has a good token gets in although the key server is down."""
    await auth.authenticate(ANN)
    server.status = 500
    clock.now += FRESH_SECONDS + 1
    assert (await auth.authenticate(ANN)).user == "ann"
    await wait_until(lambda: server.fetches == 2, "the set is fetched again")
    assert (await auth.authenticate(ANN)).user == "ann"


async def test_old_keys_do_not_serve_for_ever(
    auth: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """Whoever cuts off the key server does not keep a revoked key in use."""
    await auth.authenticate(ANN)
    server.status = 500
    clock.now += STALE_SECONDS + 1
    with pytest.raises(UnavailableError):
        await auth.authenticate(ANN)
    server.status = 200
    clock.now += PAUSE_SECONDS
    assert (await auth.authenticate(ANN)).user == "ann"


async def test_a_revoked_key_is_refused_after_the_next_fetch(
    auth: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """A key that is no longer in the set stops working when the set is old."""
    await auth.authenticate(ANN)
    server.keys = [EC_JWK]
    clock.now += FRESH_SECONDS + 1
    await auth.authenticate(ANN)  # answered by the old set, while the new one comes

    async def gone() -> bool:
        try:
            await auth.authenticate(ANN)
        except TokenError:
            return True
        return False

    await wait_until(gone, "the revoked key is refused")


async def test_without_any_keys_the_error_is_temporary(
    auth: Authenticator, server: KeyServer, clock: Clock
) -> None:
    """A key server that is down at the start is not the user's fault."""
    server.status = 503
    with pytest.raises(UnavailableError):
        await auth.authenticate(ANN)
    server.status = 200
    clock.now += PAUSE_SECONDS
    assert await auth.authenticate(ANN)


async def test_many_who_connect_at_once_share_one_fetch(
    auth: Authenticator, server: KeyServer
) -> None:
    """A reconnect storm is one request to the key server."""
    await asyncio.gather(*(auth.authenticate(ANN) for _ in range(50)))
    assert server.fetches == 1


TOO_LONG = LIMIT_BYTES + 1
SMALL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
OCT = {"kty": "oct", "kid": "r", "k": "c2VjcmV0" * 8}


@pytest.mark.parametrize(
    "entry",
    [
        {**RSA_JWK, "use": "enc"},
        {**RSA_JWK, "alg": "RS512"},
        {**RSA_JWK, "alg": "none"},
        {**RSA_JWK, "alg": ["RS256"]},
        {**RSA_JWK, "n": "!"},
        {**RSA_JWK, "n": None},
        {**RSA_JWK, "kty": ["RSA"]},
        jwk("RS256", SMALL_KEY, "r"),
        OCT,
        {"kid": "r"},
        5,
    ],
)
async def test_unusable_entries_are_left_out(
    auth: Authenticator, server: KeyServer, entry: Any
) -> None:
    """Keys for encryption, of other algorithms, weak, symmetric or broken ones."""
    server.keys = [entry, EC_JWK]
    assert await refused(auth, ANN) == "token_invalid"
    assert await auth.authenticate(token(EC_KEY, "ES256", "e"))


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b'{"keys":{}}', b'{"keys":[]}', b"[" * 100_000, b" " * TOO_LONG],
    ids=range(6),
)
async def test_what_is_no_key_set_is_a_failed_fetch(
    auth: Authenticator, server: KeyServer, body: bytes
) -> None:
    """Whatever the URL answers, the server stays up and says that it cannot verify."""
    server.body = body
    with pytest.raises(UnavailableError):
        await auth.authenticate(ANN)


async def test_a_fetch_that_breaks_is_told_of_and_tried_again(
    auth: Authenticator,
    server: KeyServer,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a key set does to the libraries, a revoked key is refused at last."""
    await auth.authenticate(ANN)
    server.keys = [EC_JWK]

    def broken(_text: bytes) -> dict[str | None, VerifyKey]:
        raise NotImplementedError("a kind of key")

    with monkeypatch.context() as patch:
        patch.setattr(jwks, "parse_key_set", broken)
        clock.now += FRESH_SECONDS + 1
        assert (await auth.authenticate(ANN)).user == "ann"
        await wait_until(lambda: "a kind of key" in caplog.text, "the log tells of it")
    clock.now += PAUSE_SECONDS
    await auth.authenticate(ANN)  # answered by the old set, while the new one comes
    await wait_until(lambda: server.fetches == 3, "the set is fetched again")
    assert await auth.authenticate(token(EC_KEY, "ES256", "e"))
    assert await refused(auth, ANN) == "token_invalid"


async def test_a_node_that_goes_waits_for_no_key_server(server: KeyServer) -> None:
    """A fetch that is under way is given up, and so is who waits for it."""
    server.free.clear()
    auth = Authenticator(JwksKeys(server.url))
    asking = asyncio.ensure_future(auth.authenticate(ANN))
    await wait_until(lambda: server.fetches, "the keys are asked for")
    await auth.aclose()
    with pytest.raises((UnavailableError, asyncio.CancelledError)):
        await asking
    server.free.set()


async def test_a_key_server_is_reached_through_the_proxy_of_the_network(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY and HTTPS_PROXY count, as for every other program of the machine."""
    proxy = server.url.removesuffix("/jwks")
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, proxy)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # Nobody but the proxy knows the name.
    auth = Authenticator(JwksKeys("http://keys.invalid/jwks"))
    try:
        assert (await auth.authenticate(ANN)).user == "ann"
        assert server.fetches == 1
    finally:
        await auth.aclose()
