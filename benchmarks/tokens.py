"""Tokens of the benchmarks' users."""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.servers import SECRET
from realtime.auth.tokens import make_token

# Life of the tokens: longer than any run.
TOKEN_SECONDS = 4 * 3600


def token(user: str) -> str:
    """Return a signed token."""
    return make_token(user, secret=SECRET, name=user, lifetime_seconds=TOKEN_SECONDS)


def write_tokens(path: Path, users: Iterable[str]) -> Path:
    """Write signed tokens, one a line, and return where they are."""
    with path.open("w") as file:
        file.writelines(f"{token(user)}\n" for user in users)
    return path
