"""What the requests of ``/chat`` have in common: the bound of an answer, and images."""

import orjson

from handlers.connecting import SessionNamespace
from realtime.pacing import Turnstile
from realtime.presence.sessions import ChatSession
from realtime.rooms.allowance import Allowance
from realtime.store import events


class Requests(SessionNamespace):
    """A part of the ``/chat`` namespace; :class:`handlers.chat.ChatNamespace` is all.

    Each ``on_<event>`` is wrapped by :func:`handlers.guard.guarded`: it gets a session
    and a payload that is valid by the catalogue and has passed the access gate, and
    returns the ack without ``ok``.
    """

    turns: Turnstile
    under_way: int

    def _allowance(self, session: ChatSession) -> Allowance:
        """Return what bounds one answer to a session, and keeps them from adding up."""
        limit = self.services.limits.answer_bytes
        return Allowance(self._connection(session.sid), limit)

    def _encoded(self, message: bytes) -> orjson.Fragment:
        """Pass a stored message on as it is, with fresh addresses of its images."""
        return orjson.Fragment(self.resigned(message))

    def resigned(self, message: bytes) -> bytes:
        """Return what holds a stored message with fresh addresses of its images."""
        return events.resign_images(message, self.services.images.address)
