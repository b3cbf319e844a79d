"""Turns of plain HTTP requests: what nobody known asks for has its share of the node.

Strangers may ask for the page, for what is not there and for what needs a token; each
takes a turn as an attempt to be let in does (:mod:`realtime.engineio.attempts`), one
address after the other. Who proves to be known takes nothing from them.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from realtime.addresses import Address
from realtime.engineio.admission import Admission
from realtime.engineio.attempts import LINE, PROVEN, REQUEST_COST, Attempts
from realtime.node.connection_limit import HttpDoors

# Requests of operators, and half a thousand at once: their answers do not wait behind
# whatever else is asked for.
PROBES_A_SECOND: Final = 100

RETRY_SECONDS: Final = 5

FORWARDED: Final = (hdrs.FORWARDED, "X-Forwarded-For")


class HttpTurns:
    """Lets requests wait for their turn.

    Args:
        admission: Where they take it.
        doors: Learns which connections are of somebody known.
        probes: Paths of operators, who have turns of their own if they come from this
            machine or a private network, and through no proxy.
        elsewhere: Paths whose requests take their turns in their handlers.
        limited: Counts those that had to wait.
    """

    def __init__(
        self,
        admission: Admission,
        doors: HttpDoors,
        *,
        probes: Collection[str],
        elsewhere: Collection[str],
        limited: Counter[str],
    ) -> None:
        self._admission = admission
        self._doors = doors
        self._probes = frozenset(probes)
        self._elsewhere = frozenset(elsewhere)
        self._operators = Attempts(
            (PROBES_A_SECOND * REQUEST_COST, PROBES_A_SECOND), limited
        )

    @web.middleware
    async def take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request when it is its turn, or say when to come again."""
        # A WebSocket leaves none behind.
        protocol = request.protocol
        if request.path in self._elsewhere:
            try:
                return await handler(request)
            finally:
                if PROVEN in request:
                    self._doors.prove(protocol)
        address = self._admission.address_of(request)
        line = self._line_of(request, address)
        has_turn = await line.enter(address.name, REQUEST_COST)
        if not has_turn or request.transport is None:
            return _too_late()
        request[LINE] = line
        try:
            return await handler(request)
        finally:
            if PROVEN in request:
                self._admission.addresses.note_known(address)
                line.give_back(REQUEST_COST)
                self._doors.prove(protocol)

    def _line_of(self, request: web.Request, address: Address) -> Attempts:
        if (
            request.path.rstrip("/") in self._probes
            and not any(name in request.headers for name in FORWARDED)
            and self._admission.addresses.is_near(request.remote)
        ):
            return self._operators
        return self._admission.line_of(address)


def _too_late() -> web.Response:
    response = web.Response(status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    response.force_close()
    return response
