"""Who gets in: tokens of each kind, and each way to be refused."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from realtime.auth.authenticator import Authenticator, Identity, choose_keys, make_token
from realtime.auth.tokens import LEEWAY_SECONDS, TokenError
from realtime.errors import ChatError, InvalidError

SECRET = "a secret of the tests, thirty-two bytes long"
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}


def pem_of(private: Any) -> bytes:
    pem: bytes = private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def unsigned(
    header: dict[str, Any], claims: dict[str, Any], signature: str = ""
) -> str:
    """Return a token put together by hand."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (header, claims)
    ]
    return ".".join([*parts, signature])


def by_secret(**rules: Any) -> Authenticator:
    return Authenticator(choose_keys(secret=SECRET), **rules)


async def accepted(auth: Authenticator, token: str) -> Identity:
    return await auth.authenticate({"token": token})


async def refused(auth: Authenticator, given: object) -> tuple[str, str]:
    """Return the reason and message of a refusal."""
    with pytest.raises(TokenError) as caught:
        await auth.authenticate(given)
    told = caught.value.to_wire()
    assert told["code"] == "unauthorized"
    assert told["temporary"] is False
    return str(told["reason"]), str(told["message"])


def token(key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    return jwt.encode({"sub": "ann", **claims}, key, algorithm=algorithm)


async def test_a_token_says_who_somebody_is() -> None:
    """`sub` is the user, `name` the display name; `exp` bounds the session."""
    ends = int(time.time()) + 60
    identity = await accepted(by_secret(), token(name="Ann", exp=ends))
    assert identity == Identity("ann", "Ann", ends + LEEWAY_SECONDS, None)


async def test_a_made_token_is_accepted() -> None:
    """What `chatroom token` prints lets its user in."""
    made = make_token("auth0|x", secret=SECRET, name="Ann", lifetime_seconds=60)
    identity = await accepted(by_secret(require_exp=True), made)
    assert (identity.user, identity.name) == ("auth0|x", "Ann")
    with pytest.raises(ValueError, match="character"):
        make_token("a\nb", secret=SECRET)
    with pytest.raises(ValueError, match="32 bytes"):
        make_token("ann", secret="short")


@pytest.mark.parametrize("algorithm", sorted(KEYS))
async def test_public_keys_of_each_kind_verify(algorithm: str) -> None:
    """RS256, ES256 and EdDSA tokens are verified by the public key alone."""
    auth = Authenticator(choose_keys(public_key_pem=pem_of(KEYS[algorithm])))
    assert (await accepted(auth, token(KEYS[algorithm], algorithm))).user == "ann"


@pytest.mark.parametrize(
    "given", [None, {}, {"token": None}, {"token": ""}, {"user": "x"}]
)
async def test_a_missing_token_is_said_to_be_missing(given: object) -> None:
    """Who forgot the token is told so, and a mere user name does not replace it."""
    assert (await refused(by_secret(), given))[0] == "token_missing"


@pytest.mark.parametrize(
    "odd",
    [
        "x",
        "a.b.c",
        "ä",
        "a\x00b",
        "x" * 20_000,
        "." * 5,
        5,
        True,
        ["x"],
        {"a": 1},
        b"x",
    ],
)
async def test_what_is_no_token_is_invalid(odd: object) -> None:
    """Junk in the token's place is an invalid token, never a server error."""
    assert (await refused(by_secret(), {"token": odd}))[0] == "token_invalid"


async def test_a_deeply_nested_header_is_invalid() -> None:
    """A header that would exhaust the decoder's stack is refused like other junk."""
    deep = base64.urlsafe_b64encode(b"[" * 10_000).decode().rstrip("=")
    assert (await refused(by_secret(), {"token": f"{deep}.e30.x"}))[
        0
    ] == "token_invalid"


@pytest.mark.parametrize("auth", ["ann", 5, ["ann"], True])
async def test_auth_is_an_object(auth: object) -> None:
    """Another type in its place is `invalid`, and says so."""
    with pytest.raises(InvalidError):
        await by_secret().authenticate(auth)


async def test_none_is_no_algorithm() -> None:
    """An unsigned token is refused, however it spells `none`."""
    for spelling in ("none", "None", "NONE", "nOnE", ""):
        forged = unsigned({"alg": spelling, "typ": "JWT"}, {"sub": "ann"})
        assert (await refused(by_secret(), {"token": forged}))[0] == "token_invalid"
    pem_auth = Authenticator(choose_keys(public_key_pem=pem_of(RSA_KEY)))
    forged = unsigned({"alg": "none"}, {"sub": "ann"})
    assert (await refused(pem_auth, {"token": forged}))[0] == "token_invalid"


@pytest.mark.parametrize("algorithm", sorted(KEYS))
async def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """A token "signed" with the public key as an HS256 secret is refused."""
    pem = pem_of(KEYS[algorithm])
    body = unsigned({"alg": "HS256", "typ": "JWT"}, {"sub": "ann"}).rstrip(".")
    mac = hmac.new(pem, body.encode(), hashlib.sha256).digest()
    forged = f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    auth = Authenticator(choose_keys(public_key_pem=pem))
    reason, message = await refused(auth, {"token": forged})
    assert reason == "token_invalid"
    assert "algorithm" in message


async def test_a_secret_verifies_hs256_only() -> None:
    """Another algorithm is refused even with the right secret, or a key of its own."""
    for forged in (token(SECRET * 2, "HS512"), token(RSA_KEY, "RS256")):
        assert (await refused(by_secret(), {"token": forged}))[0] == "token_invalid"


async def test_an_expired_token_is_said_to_be_expired() -> None:
    """After the leeway the client learns that it needs a new one."""
    now = int(time.time())
    stale = {"token": token(exp=now - LEEWAY_SECONDS - 1)}
    assert (await refused(by_secret(), stale))[0] == "token_expired"
    assert await accepted(by_secret(), token(exp=now - 1))


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"iss": "evil", "aud": "chat", "exp": 4e9}, "issuer"),
        ({}, "claim"),
        ({"iss": "us", "aud": "other", "exp": 4e9}, "audience"),
        ({"iss": "us"}, "claim"),
        ({"iss": "us", "aud": "chat"}, "claim"),
        ({"iss": "us", "aud": "chat", "exp": "soon"}, "read"),
        ({"iss": "us", "aud": "chat", "exp": [1]}, "read"),
        ({"iss": "us", "aud": "chat", "exp": 1e999}, "read"),
        ({"iss": "us", "aud": "chat", "exp": 2e9, "nbf": 4e9}, "not valid yet"),
    ],
)
async def test_claims_that_are_demanded_must_hold(
    claims: dict[str, Any], word: str
) -> None:
    """Issuer, audience and expiry are checked when the server demands them."""
    auth = by_secret(issuer="us", audience="chat", require_exp=True)
    reason, message = await refused(auth, {"token": token(**claims)})
    assert reason == "token_invalid"
    assert word in message
    assert await accepted(auth, token(iss="us", aud=["chat", "x"], exp=4e9))


@pytest.mark.parametrize(
    "sub", ["", "x" * 129, "a\nb", "a\x00", 1.5, 10**200, None, ["ann"], True]
)
async def test_a_subject_is_a_user_id(sub: object) -> None:
    """A `sub` that is no user id of ours is refused, with the reason."""
    assert (await refused(by_secret(), {"token": token(sub=sub)}))[0] == "token_invalid"


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("\u3164", "Must have something visible"),
        ("\u2800 \u2800", "Must have something visible"),
        ("\u200b", "Must have something visible"),
        ("ann\u202egnp", "U+202E at position 3 turns the text around"),
        ("\u2067ann", "U+2067 at position 0 turns the text around"),
        ("", "Must "),
    ],
)
async def test_a_user_can_be_told_from_others(user: str, said: str) -> None:
    """Who shows nothing, or turns words around, is refused by the field's name."""
    _, message = await refused(by_secret(), {"token": token(sub=user)})
    assert message.startswith(
        f"The token is not valid: its subject (sub) is no user id: {said}"
    )
    assert not message.endswith("..")
    with pytest.raises(InvalidError) as caught:
        await Authenticator(choose_keys()).authenticate({"user": user})
    assert caught.value.message.startswith(f"auth: user: {said}")
    assert caught.value.fields is not None
    assert caught.value.fields["user"][0].startswith(said)


async def test_a_number_as_subject_is_its_digits() -> None:
    """Some issuers have rows' numbers for users: 5 and "5" are the same one."""
    for sub in (5, "5", 2**70):
        assert (await accepted(by_secret(), token(sub=sub))).user == str(sub)


async def test_an_expiry_of_any_length_is_an_expiry() -> None:
    """Four hundred digits are the far future, not a failure of the server."""
    for exp in (10**400, 10**12, str(10**12)):
        until = (await accepted(by_secret(), token(exp=exp))).expires_at
        assert until is not None
        assert until > 10**11


async def test_a_token_without_subject_is_refused() -> None:
    """Without `sub` nobody is anybody."""
    bare = jwt.encode({"name": "Ann"}, SECRET, algorithm="HS256")
    assert (await refused(by_secret(), {"token": bare}))[0] == "token_invalid"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ann", "Ann"),
        ("  \u9673\u3000\u5927\u6587 \u00a0", "\u9673\u3000\u5927\u6587"),
        (
            "\u05d3\u05d5\u05d3 \u0639\u0644\u064a",
            "\u05d3\u05d5\u05d3 \u0639\u0644\u064a",
        ),
        ("<b>Ann</b>", "<b>Ann</b>"),
        ("x" * 100, "x" * 100),
        ("x" * 101, None),
        ("A\u0000n", None),
        ("A\nn", None),
        ("nna\u202e", None),
        ("a\u2067b", None),
        ("\u200b\u3164", None),
        ("\ud83d", None),
        (5, None),
        (["Ann"], None),
    ],
)
async def test_a_name_that_cannot_be_shown_locks_nobody_out(
    name: object, shown: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, and the log says so; what is text of any script is taken."""
    caplog.set_level("INFO")
    assert (await accepted(by_secret(), token(name=name))).name == shown
    said = "The name of user 'ann' is not shown" in caplog.text
    assert said == (shown is None)


@pytest.mark.parametrize("name", ["", None])
async def test_no_name_is_no_news(
    name: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Many identity providers leave the claim empty."""
    caplog.set_level("INFO")
    assert (await accepted(by_secret(), token(name=name))).name is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ("https://img.example/a.png?s=96&d=%20", True),
        ("https://" + "x" * 504, True),
        ("https://" + "x" * 505, False),
        ("http://img.example/a.png", False),
        ("javascript:alert(1)", False),
        ('https://img.example/" onerror="x', False),
        ("https://img.example/a b", False),
        ("data:image/png;base64,AAAA", False),
        (7, False),
    ],
)
async def test_a_picture_is_an_https_address(picture: object, shown: bool) -> None:
    """Anything else is left out, and the token is as good as without."""
    identity = await accepted(by_secret(), token(name="Ann", picture=picture))
    assert identity.picture == (picture if shown else None)
    assert identity.name == "Ann"


async def test_tokens_without_expiry_are_a_setting() -> None:
    """They are accepted, unless the server demands an expiry."""
    assert (await accepted(by_secret(), token())).expires_at is None
    strict = by_secret(require_exp=True)
    assert (await refused(strict, {"token": token()}))[0] == "token_invalid"


async def test_a_forged_signature_is_refused() -> None:
    """Another secret, or a changed claim, breaks the signature."""
    forged = token("another secret, also thirty-two bytes!!")
    assert "signature" in (await refused(by_secret(), {"token": forged}))[1]
    head, _, tail = token().split(".")
    claims = base64.urlsafe_b64encode(b'{"sub":"bob"}').decode().rstrip("=")
    changed = {"token": f"{head}.{claims}.{tail}"}
    assert "signature" in (await refused(by_secret(), changed))[1]


async def test_development_mode_believes_a_name() -> None:
    """Without any key a user name is enough; a token is not."""
    auth = Authenticator(choose_keys())
    assert auth.development
    given = {"user": "ann", "name": "Ann", "device": "phone-1", "more": {"x": 1}}
    assert await auth.authenticate(given) == Identity("ann", "Ann", None, "phone-1")
    assert (await refused(auth, {"token": token()}))[0] == "token_missing"
    odds: tuple[object, ...] = ("x" * 129, "a\nb", 5, True, [], {})
    for odd in odds:
        with pytest.raises(ChatError) as caught:
            await auth.authenticate({"user": odd})
        assert caught.value.code in ("invalid", "unauthorized")


def test_keys_that_cannot_be_used_are_named() -> None:
    """A weak, odd or second key is a problem at the start, not at the first login."""
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    other_curve = ec.generate_private_key(ec.SECP384R1())
    for pem in (pem_of(small), pem_of(other_curve), b"junk", SECRET.encode(), b""):
        with pytest.raises(ValueError, match=r"key|bits"):
            choose_keys(public_key_pem=pem)
    with pytest.raises(ValueError, match="32 bytes"):
        choose_keys(secret="short")
    with pytest.raises(ValueError, match="one of"):
        choose_keys(secret=SECRET, jwks_url="https://keys.example/jwks")
