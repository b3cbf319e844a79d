"""Ids of Socket.IO sessions that tell whose node's they are.

So what concerns one session goes to its node, not to all of them. Twenty characters as
the library's own: the node's mark, twelve that nobody can guess, and a check of both,
for a room of any application may look like an id.
"""

import base64
import secrets
from typing import Final
from zlib import crc32

# Between the mark and the check, 24 bits each: two nodes of one mark both hear what is
# for one of them, which is harmless, and rare.
_RANDOM_BYTES: Final = 9
_LENGTH: Final = 20


def mark_of_host(host_id: str) -> str:
    """Return a node's mark, four characters, by its id."""
    return _check(host_id)


def new_sid(mark: str) -> str:
    """Return the id of a new session of the node with this mark."""
    begin = mark + _text(secrets.token_bytes(_RANDOM_BYTES))
    return begin + _check(begin)


def mark_of(sid: object) -> str | None:
    """Return the mark of a session's node; None: it is none of these ids."""
    if not isinstance(sid, str) or len(sid) != _LENGTH or not sid.isascii():
        return None
    begin, check = sid[:-4], sid[-4:]
    return sid[:4] if check == _check(begin) else None


def _check(begin: str) -> str:
    return _text((crc32(begin.encode()) & 0xFFFFFF).to_bytes(3, "big"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
