"""Pure: signatures by Standard Webhooks 1.0, and the secrets that make them."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with

# Likewise private and public keys of ed25519.
PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"

# Bytes of a secret, by the specification.
SECRET_BYTES: Final = range(24, 65)

# Of a private key: its seed, with the public key behind it in some libraries.
SEED_BYTES: Final = 32
PRIVATE_BYTES: Final = (SEED_BYTES, 64)

# What signs: a secret that both sides have, or a key of the one who sends.
SigningKey = bytes | Ed25519PrivateKey


def parse_secret(text: str) -> bytes:
    """Return the key of a secret such as ``whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw``.

    Raises:
        ValueError: It is none; the text never repeats it.
    """
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise ValueError(
            f"it is {SECRET_PREFIX} and {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes"
            " in base64"
        )
    return key


def parse_signing_key(text: str) -> SigningKey:
    """Return the key of a secret, or of a private key ``whsk_…``.

    Raises:
        ValueError: It is none; the text never repeats it.
    """
    if not text.startswith(PRIVATE_PREFIX):
        return parse_secret(text)
    try:
        key = base64.b64decode(text.removeprefix(PRIVATE_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if len(key) not in PRIVATE_BYTES:
        raise ValueError(f"it is {PRIVATE_PREFIX} and an ed25519 key in base64")
    return Ed25519PrivateKey.from_private_bytes(key[:SEED_BYTES])


def public_key(text: str) -> str | None:
    """Return what verifies what a private key signs, ``whpk_…``; None of a secret."""
    key = parse_signing_key(text)
    if isinstance(key, bytes):
        return None
    raw = key.public_key().public_bytes_raw()
    return PUBLIC_PREFIX + base64.b64encode(raw).decode()


def signed_headers(
    *keys: SigningKey, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers of a body that is sent as it is, byte for byte.

    Args:
        keys: What :func:`parse_signing_key` returned; several while they change.
        message_id: Unique, without a dot.
        timestamp: Unix seconds of this attempt.
        body: What is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: SigningKey, signed: bytes) -> str:
    if isinstance(key, bytes):
        digest, version = hmac.digest(key, signed, hashlib.sha256), "v1"
    else:
        digest, version = key.sign(signed), "v1a"
    return f"{version},{base64.b64encode(digest).decode()}"
