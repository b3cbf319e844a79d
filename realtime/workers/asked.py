"""What the first bytes of a request tell: whose session it is, or that it has none."""

import re
from typing import Final, NamedTuple

from realtime.engineio.sid_marks import mark_of

# Of Engine.IO, and nothing else that is served here.
_ENGINE: Final = b"transport="
_SID: Final = re.compile(rb"[?&]sid=([A-Za-z0-9_-]{20})(?=[& ])")
_ANY_SID: Final = re.compile(rb"[?&]sid=")
# A request line that may have its end still to come. Line ends before it are allowed
# (RFC 9112, 2.2); what cannot be one is somebody else's to refuse.
_BEGUN: Final = re.compile(rb"[\r\n]*(?:[A-Z]{0,7}|[A-Z]{1,7} [!-~]*(?: [!-~]*)?\r?)")


class Asked(NamedTuple):
    """What is known of a request.

    Attributes:
        is_whole: Whether its request line is there; nothing is known before.
        number: Of the worker whose session it names; None: it names none.
        is_handshake: Whether it asks for a session.
    """

    is_whole: bool
    number: int | None = None
    is_handshake: bool = False


_BEGUN_ONLY: Final = Asked(is_whole=False)
_ANYTHING: Final = Asked(is_whole=True)
_HANDSHAKE: Final = Asked(is_whole=True, is_handshake=True)


def read(data: bytes) -> Asked:
    """Return what the beginning of a connection's next request tells."""
    begin = 0
    while data[begin : begin + 1] in (b"\r", b"\n"):
        begin += 1
    end = data.find(b"\n", begin)
    if end < 0:
        return _BEGUN_ONLY if _BEGUN.fullmatch(data) else _ANYTHING
    line = data[begin:end]
    if _ENGINE not in line:
        return _ANYTHING
    found = _SID.search(line)
    if found is not None:
        return Asked(is_whole=True, number=mark_of(found[1]))
    if _ANY_SID.search(line) or not line.startswith(b"GET "):
        return _ANYTHING
    return _HANDSHAKE
