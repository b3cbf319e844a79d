"""Admission: how many clients may come in, from where and at once.

A session counts as unauthenticated until the layer above knows its user. The number of
such sessions is bounded by address and for the node.
"""

from collections import Counter
from typing import Final

from aiohttp import web

from realtime.addresses import Address, Addresses
from realtime.engineio import responses
from realtime.engineio.attempts import Attempts, Budget
from realtime.engineio.interfaces import CountedSession
from realtime.engineio.options import Options
from realtime.engineio.responses import Refusal
from realtime.pacing import Turnstile

# Clients of whom a step into the server begins in one turn of the event loop, each some
# 0.2 ms of work. Thousands may come at once; all others are served between them.
_STEPS_A_TURN: Final = 8


class Admission:
    """Counts and paces the clients that come in.

    Args:
        options: The server's settings, the two limits among them.
        addresses: Where connections come from.
        limited: Counts how often a limit was met.

    Attributes:
        addresses: As given.
        handshakes: Lets a few Engine.IO handshakes begin in each turn of the loop.
        is_closed: Set when the server goes down: every handshake is refused.
        arrivals: Connections that may be taken; those that prove who they are do not
            count.
        connects: The same for what clients do next to be known, Socket.IO's CONNECT.
    """

    def __init__(
        self, options: Options, addresses: Addresses, limited: Counter[str]
    ) -> None:
        self.addresses = addresses
        self.arrivals = Budget(options.arrival_rate)
        # Where somebody was let in lately, nobody waits behind strangers.
        self._strangers = Attempts(options.attempt_rate, limited)
        self._known = Attempts(options.attempt_rate, limited)
        self.handshakes = Turnstile(_STEPS_A_TURN)
        self.connects = Turnstile(_STEPS_A_TURN)
        self._address_limit = options.address_unauthenticated
        self._node_limit = options.node_unauthenticated
        self._limited = limited
        self.is_closed = False

    def refusal(self, address: Address) -> Refusal | None:
        """Return the answer to a handshake that is not let in; None: it is."""
        if self.is_closed:
            return responses.SHUTTING_DOWN
        limit = self._address_limit
        if (
            limit is not None
            and address.is_limited
            and address.all_unauthenticated >= limit
        ):
            self._limited["address_unauthenticated"] += 1
            return responses.ADDRESS_FULL
        limit = self._node_limit
        if limit is not None and self.addresses.all_unauthenticated >= limit:
            self._limited["node_unauthenticated"] += 1
            return responses.NODE_FULL
        return None

    def close(self) -> None:
        """Refuse every handshake, and whoever waits for a turn."""
        self.is_closed = True
        self._strangers.close()
        self._known.close()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._strangers) + len(self._known)

    def line_of(self, address: Address) -> Attempts:
        """Return where who comes from an address takes their turn."""
        return self._known if self.addresses.is_known(address) else self._strangers

    def address_of(self, request: web.BaseRequest) -> Address:
        """Return where a request comes from."""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return self.addresses.find(request.remote, forwarded)

    async def attempt(self, session: CountedSession) -> bool:
        """Begin an attempt of a session whose user is not known.

        The handshake was the first one; it goes on until it is refused.

        Returns:
            False when it would have had to wait for too long.
        """
        return session.spent >= 1 or await self.spend(session, 1.0)

    async def spend(self, session: CountedSession, cost: float) -> bool:
        """Take a turn for a session, given back once its user is known.

        Returns:
            False when it would have had to wait for too long.
        """
        if session.is_authenticated or session.line is None:
            return True
        name = "" if session.address is None else session.address.name
        if not await session.line.enter(name, cost):
            return False
        if session.is_authenticated:
            session.line.give_back(cost)
        else:
            session.spent += cost
        return True

    def add(
        self, session: CountedSession, address: Address, line: Attempts | None = None
    ) -> None:
        """Count a new session, which is unauthenticated yet.

        Args:
            session: The session.
            address: Where it comes from.
            line: Where its handshake took its turn.
        """
        session.address, session.line, session.spent = address, line, 1.0
        self.addresses.add(address)

    def mark_authenticated(self, session: CountedSession) -> None:
        """Count a session as authenticated: its user is known."""
        if not session.is_authenticated:
            session.is_authenticated = True
            if session.line is not None:
                session.line.give_back(session.spent)
                session.spent = 0.0
                self.arrivals.give_back()
            session.authentication_changed()
            if session.address is not None:
                self.addresses.mark_authenticated(session.address)

    def mark_unauthenticated(self, session: CountedSession) -> None:
        """Count a session as unauthenticated again: its user has gone."""
        if session.is_authenticated:
            session.is_authenticated = False
            session.authentication_changed()
            if session.address is not None:
                self.addresses.mark_unauthenticated(session.address)

    def remove(self, session: CountedSession) -> None:
        """Count a session no more: it has ended."""
        self.mark_unauthenticated(session)
        address, session.address = session.address, None
        if address is not None:
            self.addresses.remove(address)
