"""JSON Web Tokens: verified with one key and one algorithm, or made for trying out."""

import time
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt.exceptions import InvalidTokenError
from marshmallow import ValidationError

from realtime.auth.keys import VerifyKey, secret_key
from realtime.errors import UnauthorizedError
from schemas.field_types import PersonId

# Clocks of token issuers may be off by this much; a session lives this much longer than
# its token says.
LEEWAY_SECONDS: Final = 10

# The end of the year 9999: a later ``exp`` is held to it.
FAR_FUTURE_SECONDS: Final = 253_402_300_799

_USER_ID: Final = PersonId()

_EXPLANATIONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (jwt.InvalidIssuerError, "its issuer (iss) is not the one expected"),
    (jwt.InvalidAudienceError, "its audience (aud) is not the one expected"),
    (jwt.MissingRequiredClaimError, "a claim that is demanded (sub, exp) is missing"),
    (jwt.ImmatureSignatureError, "it is not valid yet"),
    (jwt.InvalidAlgorithmError, "its algorithm is not the one of the server's key"),
    (jwt.InvalidSignatureError, "its signature is wrong"),
)


class TokenError(UnauthorizedError):
    """No valid token; ``reason`` tells a client program what to do about it.

    Args:
        message: One sentence for the person who reads it.
        reason: ``token_missing``, ``token_expired`` or ``token_revoked`` (get a new
            one), or ``token_invalid``.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, reason=reason)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say besides being signed.

    Attributes:
        issuer: The ``iss`` that it must have; None: any.
        audience: The ``aud`` that it must name; None: any.
        require_exp: Whether a token that never expires is refused.
    """

    issuer: str | None = None
    audience: str | None = None
    require_exp: bool = False


def invalid_token(why: str) -> TokenError:
    """Return the error for a token that is not valid; ``why`` has no full stop."""
    return TokenError(f"The token is not valid: {why}.", reason="token_invalid")


def read_header(token: str) -> dict[str, Any]:
    """Return a token's header. Nothing of it is verified.

    Raises:
        TokenError: It is no token.
    """
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise invalid_token("it is not a JSON Web Token") from None


def verify_token(token: str, key: VerifyKey, rules: TokenRules) -> dict[str, Any]:
    """Return the claims of a token that the key signed and that is valid now.

    ``sub`` is a user id; a whole number, as some issuers have it (against RFC 7519,
    section 4.1.2), is its decimal digits. ``exp`` and ``nbf`` are held against the
    clock with :data:`LEEWAY_SECONDS`.

    Raises:
        TokenError: for every other token.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=LEEWAY_SECONDS,
            options={
                "verify_aud": rules.audience is not None,
                "verify_sub": False,
                "require": ["sub", "exp"] if rules.require_exp else ["sub"],
            },
        )
        claims["sub"] = _user_id(claims["sub"])
    except jwt.ExpiredSignatureError:
        raise TokenError(
            "The token has expired; get a new one.", reason="token_expired"
        ) from None
    except ValidationError as error:
        why = " ".join(error.messages).removesuffix(".")
        raise invalid_token(f"its subject (sub) is no user id: {why}") from None
    except (InvalidTokenError, ValueError, ArithmeticError, RecursionError) as error:
        raise invalid_token(_explain(error)) from None
    return claims


def session_end(claims: dict[str, Any]) -> float | None:
    """Return the Unix seconds when a session with these verified claims must end."""
    if "exp" not in claims:
        return None
    # Integers first: one of four hundred digits is no float.
    return float(min(int(claims["exp"]), FAR_FUTURE_SECONDS)) + LEEWAY_SECONDS


def issue_time(claims: dict[str, Any]) -> float | None:
    """Return the Unix seconds at which a token with these verified claims was made."""
    return float(claims["iat"]) if "iat" in claims else None


def is_good(issued_at: float | None, good_from: float) -> bool:
    """Tell whether a token is newer than what was revoked; one of no time is not."""
    return issued_at is not None and issued_at >= good_from


def make_token(
    user: str,
    *,
    secret: str,
    name: str | None = None,
    lifetime_seconds: float | None = None,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """Return an HS256 token for a user, as ``chatroom token`` prints it.

    Args:
        user: The user id, 1-128 characters without control characters.
        secret: The server's token secret, at least 32 bytes.
        name: A display name.
        lifetime_seconds: Time from now until it expires; None: never.
        issuer: The ``iss`` claim, if the server demands one.
        audience: The ``aud`` claim, if the server demands one.

    Raises:
        ValueError: The user id or the secret is not acceptable.
    """
    secret_key(secret)
    try:
        _USER_ID.deserialize(user)
    except ValidationError as error:
        raise ValueError(" ".join(error.messages).removesuffix(".")) from None
    now = int(time.time())
    claims: dict[str, Any] = {"sub": user, "iat": now}
    optional = {"name": name, "iss": issuer, "aud": audience}
    claims |= {claim: value for claim, value in optional.items() if value is not None}
    if lifetime_seconds is not None:
        claims["exp"] = now + int(lifetime_seconds)
    return jwt.encode(claims, secret, algorithm="HS256")


def _user_id(subject: object) -> str:
    """Return the user id of a ``sub`` claim.

    Raises:
        ValidationError: It is neither an id nor a whole number.
    """
    if isinstance(subject, int) and not isinstance(subject, bool):
        subject = str(subject)
    user: str = _USER_ID.deserialize(subject)
    return user


def _explain(error: Exception) -> str:
    """Say what is wrong in words that give nothing away."""
    for kind, words in _EXPLANATIONS:
        if isinstance(error, kind):
            return words
    return "it cannot be read"
