"""Who is connecting: from the client's ``auth`` object to an identity.

With a key configured, users prove who they are by a JSON Web Token. Without one the
server is in development mode and believes whatever name it is told.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from marshmallow import ValidationError

from realtime.auth.jwks import STALE_SECONDS, JwksKeys
from realtime.auth.keys import TokenKeys, public_key, secret_key
from realtime.auth.tokens import (
    TokenError,
    TokenRules,
    invalid_token,
    is_good,
    issue_time,
    make_token,
    read_header,
    session_end,
    verify_token,
)
from realtime.errors import InvalidError
from schemas.base import StrictField, flatten_errors
from schemas.connect import ConnectAuth
from schemas.names import DisplayName, Picture

__all__ = ["Authenticator", "Identity", "TokenError", "choose_keys", "make_token"]

_CONNECT_AUTH: Final = ConnectAuth()

# What others are shown of a user, by the name of the claim.
_SHOWN: Final[Mapping[str, StrictField]] = {"name": DisplayName(), "picture": Picture()}

_logger = logging.getLogger(__name__)


class Identity(NamedTuple):
    """Who somebody proved to be.

    Attributes:
        user: The user id: the token's ``sub``.
        name: The display name, if there is one that can be shown.
        expires_at: Unix seconds when the session must end; None: never.
        device: The id that the client gave its device, if any; it proves nothing.
        picture: The address of a picture, likewise as the name.
        issued_at: Unix seconds when the token was made (``iat``), if it says so.
    """

    user: str
    name: str | None
    expires_at: float | None
    device: str | None
    picture: str | None = None
    issued_at: float | None = None


# Given a user, return the Unix second from which on their tokens are good; None: all.
GoodFrom = Callable[[str], int | None]


class Authenticator:
    """Verifies what clients say of themselves.

    Args:
        keys: What verifies tokens, by :func:`choose_keys`; None: development mode.
        issuer: The ``iss`` that tokens must have; None: any.
        audience: The ``aud`` that tokens must name; None: any.
        require_exp: Whether to refuse tokens that never expire.
        good_from: Knows whose tokens were revoked; None: nobody's.
    """

    def __init__(
        self,
        keys: TokenKeys | None,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        require_exp: bool = False,
        good_from: GoodFrom | None = None,
    ) -> None:
        self._keys = keys
        self._good_from = good_from
        self._rules = TokenRules(issuer, audience, require_exp)

    @property
    def development(self) -> bool:
        """Whether anybody may take any name."""
        return self._keys is None

    async def authenticate(self, auth: object) -> Identity:
        """Return who is connecting.

        Args:
            auth: ``{token, device?}``; in development mode
                ``{user, name?, picture?, device?}``.

        Raises:
            TokenError: The token is missing, expired or invalid.
            InvalidError: Something else in ``auth`` is.
            UnavailableError: The keys cannot be fetched now.
        """
        given = _load_auth(auth)
        device = given.get("device")
        if self._keys is None:
            if "user" not in given:
                if isinstance(auth, dict) and auth.get("user") == "":
                    said = "Must not be empty."
                    raise InvalidError(f"auth: user: {said}", fields={"user": [said]})
                raise TokenError(
                    "Development mode: connect with auth {user}, without a token.",
                    reason="token_missing",
                )
            name, picture = _shown(given, given["user"])
            return Identity(given["user"], name, None, device, picture)
        if "token" not in given:
            raise TokenError(
                "No token was given: connect with auth {token}.", reason="token_missing"
            )
        key = await self._keys.find(read_header(given["token"]))
        if key is None:
            raise invalid_token("it is signed with an unknown key")
        claims = verify_token(given["token"], key, self._rules)
        user, ends = claims["sub"], session_end(claims)
        issued_at = issue_time(claims)
        good_from = self._good_from and self._good_from(user)
        if good_from and not is_good(issued_at, good_from):
            raise TokenError(
                "The token was revoked; get a new one.", reason="token_revoked"
            )
        name, picture = _shown(claims, user)
        return Identity(user, name, ends, device, picture, issued_at)

    async def aclose(self) -> None:
        """Let go of what the keys hold open."""
        if self._keys is not None:
            await self._keys.aclose()


def choose_keys(
    *,
    secret: str | None = None,
    public_key_pem: bytes | None = None,
    jwks_url: str | None = None,
    jwks_stale_seconds: float = STALE_SECONDS,
) -> TokenKeys | None:
    """Return what verifies tokens; None, development mode, if nothing is given.

    Raises:
        ValueError: A key cannot be used, or more than one is given: it would not be
            clear whose word counts.
    """
    # An empty one is a key that cannot be used: none at all would let anyone in.
    given = [one for one in (secret, public_key_pem, jwks_url) if one is not None]
    if len(given) > 1:
        raise ValueError("Give one of token secret, public key and JWKS URL, not more.")
    if secret is not None:
        return secret_key(secret)
    if public_key_pem is not None:
        return public_key(public_key_pem)
    if jwks_url is not None:
        return JwksKeys(jwks_url, stale_seconds=jwks_stale_seconds)
    return None


def _load_auth(auth: object) -> dict[str, Any]:
    """Load the ``auth`` object; null and empty members count as missing.

    Raises:
        TokenError: The token is no string of a token's characters.
        InvalidError: Something else is wrong.
    """
    given: Any = {} if auth is None else auth
    if isinstance(given, dict):
        given = {key: one for key, one in given.items() if one not in (None, "")}
    try:
        loaded: dict[str, Any] = _CONNECT_AUTH.accept(given) or _CONNECT_AUTH.load(
            given
        )
    except ValidationError as error:
        fields = flatten_errors(error.messages)
        if "token" in fields:
            raise invalid_token("it is not a JSON Web Token") from None
        path, said = next(iter(fields.items()))
        raise InvalidError(f"auth: {path}: {said[0]}", fields=fields) from None
    return {**{claim: given[claim] for claim in _SHOWN if claim in given}, **loaded}


def _shown(claims: Mapping[str, Any], user: str) -> tuple[str | None, str | None]:
    """Return name and picture; one that cannot be shown is left out, and logged."""
    if "name" not in claims and "picture" not in claims:
        return None, None
    shown: list[str | None] = []
    for claim, field in _SHOWN.items():
        value = claims.get(claim)
        try:
            shown.append(field.deserialize(value) if value else None)
        except ValidationError as error:
            why = " ".join(error.messages)
            _logger.info("The %s of user %s is not shown: %s", claim, ascii(user), why)
            shown.append(None)
    return shown[0], shown[1]
