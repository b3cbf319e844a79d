"""Tokens of the benchmarks' users."""

import json
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
    """Write what the load programs say at CONNECT, one a line; return where it is.

    A token, and the user's name beside it for a server that verifies none.
    """
    said = (json.dumps({"token": token(user), "user": user}) for user in users)
    with path.open("w") as file:
        file.writelines(f"{line}\n" for line in said)
    return path
