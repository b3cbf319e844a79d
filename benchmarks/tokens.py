"""Tokens of the benchmarks' users."""

import time
from collections.abc import Iterable
from pathlib import Path

import jwt

from benchmarks.servers import SECRET

TOKEN_SECONDS = 4 * 3600
"""Life of the tokens: longer than any run."""


def token(user: str) -> str:
    """Return a signed token."""
    claims = {"sub": user, "name": user, "exp": int(time.time()) + TOKEN_SECONDS}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def write_tokens(path: Path, users: Iterable[str]) -> Path:
    """Write signed tokens, one a line, and return where they are."""
    with path.open("w") as file:
        file.writelines(f"{token(user)}\n" for user in users)
    return path
