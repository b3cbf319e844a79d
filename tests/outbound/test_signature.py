"""Signatures as Standard Webhooks 1.0 has them."""

import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from realtime.outbound.signature import (
    parse_secret,
    parse_signing_key,
    public_key,
    signed_headers,
)


def test_the_example_of_the_standard() -> None:
    """Whoever verifies with a library of theirs gets what its authors publish."""
    headers = signed_headers(
        parse_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not base64 not base64 not base64 not base64",
        "whsec_" + "A" * 88,
    ],
)
def test_a_weak_secret_is_refused_without_being_repeated(text: str) -> None:
    """It may be a real one with a typing error, and what is said is logged."""
    with pytest.raises(ValueError, match="whsec_ and 24 to 64 bytes") as caught:
        parse_secret(text)
    assert (
        not text or text.removeprefix("whsec_") == "" or text not in str(caught.value)
    )


@pytest.mark.parametrize("has_public_part", [False, True])
def test_who_has_the_public_key_verifies_and_cannot_sign(has_public_part: bool) -> None:
    """By ed25519, ``v1a``, beside a secret that both have while they change."""
    made = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = made.public_key().public_bytes_raw()
    seed = made.private_bytes_raw() + (public if has_public_part else b"")
    private = "whsk_" + base64.b64encode(seed).decode()
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signed_headers(
        *map(parse_signing_key, (private, secret)),
        message_id="msg_1",
        timestamp=1614265330,
        body=b"{}",
    )
    first, second = headers["webhook-signature"].split(" ")
    assert (first[:4], second[:3]) == ("v1a,", "v1,")
    shown = public_key(private)
    assert shown is not None
    assert public_key(secret) is None
    verifier = Ed25519PublicKey.from_public_bytes(
        base64.b64decode(shown.removeprefix("whpk_"))
    )
    signature = base64.b64decode(first[4:])
    verifier.verify(signature, b"msg_1.1614265330.{}")
    with pytest.raises(InvalidSignature):
        verifier.verify(signature, b"msg_1.1614265331.{}")
    with pytest.raises(ValueError, match="whsk_ and an ed25519 key"):
        parse_signing_key("whsk_" + base64.b64encode(b"x" * 31).decode())
