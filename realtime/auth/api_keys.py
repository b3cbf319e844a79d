"""API keys: what a backend proves itself with, ``ck_<id>_<secret>``.

Only a digest of the secret is kept. It needs no salt and no slow hash: the secret has
192 random bits, which nobody guesses.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from schemas.field_types import ERASED, KEY_SENDER

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 24
_KEY: Final = re.compile(r"ck_([0-9a-f]{12})_([A-Za-z0-9_-]{32})")
# The pattern of a key for all rooms.
ANY_ROOM: Final = "*"
# What others see as the sender is `$` and this.
NAME_PATTERN: Final = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key.

    Attributes:
        id: Stands in the key; no secret.
        name: Who it belongs to; the sender of its messages is ``$<name>``.
        digest: SHA-256 of the secret, hexadecimal.
        scopes: What it may do.
        rooms: The rooms it may do that in: a pattern with ``*`` and ``?``.
        created_at: Unix seconds.
    """

    id: str
    name: str
    digest: str
    scopes: frozenset[str]
    rooms: str
    created_at: int

    @property
    def sender(self) -> str:
        """The user id that its acts carry; no user can have it."""
        return KEY_SENDER + self.name

    def reaches(self, room: str) -> bool:
        """Tell whether it may do anything in a room."""
        return fnmatchcase(room, self.rooms)

    def is_proven_by(self, secret: str) -> bool:
        """Tell whether a secret is this key's, in the same time for any."""
        return hmac.compare_digest(self.digest, _digest(secret))


def new_key(
    name: str, *, scopes: Iterable[str], rooms: str, now: int
) -> tuple[ApiKey, str]:
    """Return a new key and its text, which is shown once and kept nowhere.

    Raises:
        ValueError: The name is not 1 to 32 of ``a-z 0-9 -``.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise ValueError("the name must be 1 to 32 of a-z 0-9 -")
    if KEY_SENDER + name == ERASED:
        raise ValueError(f"{ERASED} stands for users who were erased")
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(key_id, name, _digest(secret), frozenset(scopes), rooms, now)
    return key, f"ck_{key_id}_{secret}"


def parse_key(text: str) -> tuple[str, str] | None:
    """Return a key's id and secret, None if the text is none."""
    match = _KEY.fullmatch(text)
    return None if match is None else (match[1], match[2])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
