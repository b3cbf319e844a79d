"""``hello``: what a client needs to know of this server, told when it has connected."""

from collections.abc import Mapping
from typing import Final

import orjson

from realtime import __version__
from realtime.presence.sessions import ChatSession
from schemas.catalog import NAMESPACE, PROTOCOL, REQUESTS

_HEAD: Final = f'2{NAMESPACE},["hello",'


class Hello:
    """Makes the packet of each session: what is alike for all is encoded once.

    Args:
        limits: What a client may ask for, by docs/protocol.md.
    """

    def __init__(self, limits: Mapping[str, object]) -> None:
        alike = {
            "protocol": PROTOCOL,
            "server": __version__,
            "features": sorted(REQUESTS),
            "limits": limits,
        }
        self._head = _HEAD + orjson.dumps(alike)[:-1].decode() + ","

    def packet(self, session: ChatSession) -> str:
        """Return the Socket.IO packet for a session."""
        own: dict[str, object] = {"user": session.user}
        if session.name is not None:
            own["name"] = session.name
        if session.picture is not None:
            own["picture"] = session.picture
        ends = session.expires_at
        own["expiresAt"] = None if ends is None else int(ends * 1000)
        return f"{self._head}{orjson.dumps(own)[1:].decode()}]"
