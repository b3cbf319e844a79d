"""What clients authenticate with: a name in development mode, else a token."""

from collections.abc import Callable, Mapping

from realtime.auth.tokens import make_token

# Validity of tokens: longer than any run.
TOKEN_SECONDS = 24 * 3600.0

# Returns the credentials of a user.
MakeAuth = Callable[[str], Mapping[str, object]]


def development_auth(user: str) -> Mapping[str, object]:
    """Return what a node without a key takes."""
    return {"user": user}


def signed_auth(
    secret: str, *, issuer: str | None = None, audience: str | None = None
) -> MakeAuth:
    """Return what makes the credentials that nodes with this secret take."""

    def make_auth(user: str) -> Mapping[str, object]:
        token = make_token(
            user,
            secret=secret,
            lifetime_seconds=TOKEN_SECONDS,
            issuer=issuer,
            audience=audience,
        )
        return {"token": token}

    return make_auth
