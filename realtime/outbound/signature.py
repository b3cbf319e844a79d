"""Pure: signatures by Standard Webhooks 1.0, and the secrets that make them."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - what secrets begin with

# Bytes of a secret, by the specification.
SECRET_BYTES: Final = range(24, 65)


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


def signed_headers(
    *keys: bytes, message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the headers of a body that is sent as it is, byte for byte.

    Args:
        keys: What :func:`parse_secret` returned; several while they change.
        message_id: Unique, without a dot.
        timestamp: Unix seconds of this attempt.
        body: What is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(digest).decode()}" for digest in digests
        ),
    }
