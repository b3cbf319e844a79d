"""The ``/chat`` namespace: the requests of all its parts, called by name."""

import time
from typing import Any, Final

from handlers.changes import ChangeRequests
from handlers.guard import Answer, Payload, error_answer, guarded
from handlers.messages import MessageRequests
from handlers.mine import MineRequests
from handlers.moderation import ModerationRequests
from handlers.people import PeopleRequests
from handlers.rooms import RoomRequests
from handlers.send_order import SendOrder
from realtime.errors import (
    ChatError,
    RateLimitedError,
    UnknownEventError,
)
from realtime.pacing import Turnstile
from realtime.presence.sessions import ChatSession
from realtime.services import Services
from schemas.catalog import NAMESPACE, REQUESTS

# Stands for the names of events that do not exist: they are the client's to choose.
UNKNOWN: Final = "?"

# Requests of one user begun in one turn of the event loop, over all connections. A
# hundred connections at once then take no more of a turn than a few others do.
REQUESTS_A_TURN: Final = 2


class ChatNamespace(
    RoomRequests,
    MessageRequests,
    ChangeRequests,
    PeopleRequests,
    ModerationRequests,
    MineRequests,
):
    """What clients may ask for.

    Args:
        services: The parts that carry the requests out.
    """

    def __init__(self, services: Services) -> None:
        super().__init__(NAMESPACE, services)
        self.turns = Turnstile(REQUESTS_A_TURN)
        self.order = SendOrder()
        self.under_way = 0
        self._requests = {name: getattr(self, f"on_{name}") for name in REQUESTS}

    def held(self) -> dict[str, int]:
        """Return what waits here for its answer, counted by kind."""
        return {
            "requests": self.under_way,
            "request_turns": len(self.turns),
            "send_queues": len(self.order),
        }

    async def trigger_event(self, event: object, *args: Any) -> object:
        """Call the handler of an event; an unknown one is answered with an error.

        A connection that is established is neither being connected nor disconnected:
        events of these names then come from the client, and are as unknown as others.
        """
        request = self._requests.get(event) if isinstance(event, str) else None
        if request is not None:
            return await request(*args)
        if event in ("connect", "disconnect") and not self._is_connected(args[0]):
            lifecycle = self.on_connect if event == "connect" else self.on_disconnect
            await lifecycle(*args)
            return None
        error: ChatError = UnknownEventError("There is no event of this name.")
        try:
            self.services.rates.take(args[0], UNKNOWN, time.monotonic())
        except RateLimitedError as limited:
            error = limited
        self.count_refusal(args[0])
        self.count(UNKNOWN, error)
        return error_answer(error)

    @guarded
    async def on_refresh(self, session: ChatSession, payload: Payload) -> Answer:
        """``{token}`` → ``expiresAt``: the session lives as long as the new token.

        Errors: ``unauthorized``, for a token of another user as well.
        """
        identity = await self.services.auth.authenticate(payload)
        self.services.sessions.refresh(
            session,
            user=identity.user,
            name=identity.name,
            picture=identity.picture,
            expires_at=identity.expires_at,
            issued_at=identity.issued_at,
        )
        self.services.profiles.note(identity.user, identity.name, identity.picture)
        ends = identity.expires_at
        return {"expiresAt": None if ends is None else int(ends * 1000)}
