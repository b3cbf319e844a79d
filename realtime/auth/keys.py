"""The keys that tokens are verified with, each pinned to its one algorithm.

A token names an algorithm in its header, and its sender chose that header. So the
header decides nothing here: a secret verifies HS256 and a public key verifies what
its type is for, whatever the token says (no ``none``, no public key used as a secret).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.utils import base64url_encode

# Least length of an HS256 secret: that of its hash, by RFC 7518 section 3.2.
SECRET_BYTES: Final = 32

# Least size of an RSA key, by RFC 7518 section 3.3.
RSA_BITS: Final = 2_048


class VerifyKey(NamedTuple):
    """A key and the only algorithm that it verifies."""

    key: Any
    algorithm: str


class TokenKeys(Protocol):
    """Where the key of a token comes from."""

    async def find(self, header: Mapping[str, object]) -> VerifyKey | None:
        """Return the key for a token with this unverified header, if there is one.

        Raises:
            UnavailableError: The keys cannot be fetched now.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what the keys hold open."""
        ...


class FixedKey:
    """One key for all tokens."""

    def __init__(self, key: VerifyKey) -> None:
        self._key = key

    async def find(self, header: Mapping[str, object]) -> VerifyKey | None:
        """Return the key, whatever the header says."""
        return self._key

    async def aclose(self) -> None:
        """Nothing is held open."""


def secret_key(secret: str) -> FixedKey:
    """Return the key for HS256 tokens.

    Raises:
        ValueError: The secret is too short to be one.
    """
    raw = secret.encode()
    if len(raw) < SECRET_BYTES:
        raise ValueError(f"A token secret must have {SECRET_BYTES} bytes or more.")
    # As a JWK it is prepared once; bytes would be searched for PEM marks at each token.
    prepared = PyJWK(
        {"kty": "oct", "k": base64url_encode(raw).decode(), "alg": "HS256"}
    )
    return FixedKey(VerifyKey(prepared, "HS256"))


def public_key(pem: bytes) -> FixedKey:
    """Return the key for tokens that are signed with a private key.

    Raises:
        ValueError: It is not a PEM public key of a kind that we verify.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(
            "The public key of tokens is not a PEM file of one."
        ) from error
    return FixedKey(VerifyKey(key, algorithm_of(key)))


def algorithm_of(key: object) -> str:
    """Return the one algorithm that a public key verifies.

    Raises:
        ValueError: for kinds and sizes that are not accepted.
    """
    if isinstance(key, RSAPublicKey):
        if key.key_size < RSA_BITS:
            raise ValueError(
                f"The RSA key of tokens must have {RSA_BITS} bits or more."
            )
        return "RS256"
    if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return "ES256"
    if isinstance(key, Ed25519PublicKey):
        return "EdDSA"
    raise ValueError("The public key of tokens must be RSA, EC P-256 or Ed25519.")
