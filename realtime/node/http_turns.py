"""Turns of plain HTTP requests: what nobody known asks for has its share of the node.

Strangers may ask for the page, for what is not there and for what needs a token; each
takes a turn as an attempt to be let in does (:mod:`realtime.engineio.attempts`), one
address after the other. Who proves to be known takes nothing from them. Requests of the
Engine.IO path take their turns there.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from realtime.addresses import Address
from realtime.engineio.admission import Admission
from realtime.engineio.attempts import LINE, PROVEN, REQUEST_COST, Attempts
from realtime.node.connection_limit import HttpDoors

# What operators' requests may cost, a second (a hundred of them) and at once: their
# answers do not wait behind whatever else is asked for.
PROBES: Final = (100 * REQUEST_COST, 100)

RETRY_SECONDS: Final = 5

FORWARDED: Final = frozenset({hdrs.FORWARDED, "X-Forwarded-For"})


def take_turns(
    admission: Admission,
    doors: HttpDoors,
    *,
    probes: Collection[str],
    elsewhere: Collection[str],
    limited: Counter[str],
) -> Middleware:
    """Return a middleware in which requests wait for their turn.

    Args:
        admission: Where they take it.
        doors: Learns which connections are of somebody known.
        probes: Paths of operators, who have turns of their own if they come from this
            machine or a private network, and through no proxy.
        elsewhere: Paths whose requests take their turns in their handlers.
        limited: Counts those that had to wait.
    """
    operators = Attempts(PROBES, limited)

    def line_of(request: web.Request, address: Address) -> Attempts:
        if (
            request.path.rstrip("/") in probes
            and not any(name in request.headers for name in FORWARDED)
            and admission.addresses.is_near(request.remote)
        ):
            return operators
        return admission.line_of(address)

    @web.middleware
    async def take(request: web.Request, handler: Handler) -> web.StreamResponse:
        protocol = request.protocol
        if request.path in elsewhere:
            response = await handler(request)
        else:
            address = admission.addresses.find(
                request.remote, request.headers.getall("X-Forwarded-For", [])
            )
            line = line_of(request, address)
            has_turn = await line.enter(address.name, REQUEST_COST)
            if not has_turn or request.transport is None:
                return _too_late()
            request[LINE] = line
            response = await handler(request)
            if PROVEN in request:
                admission.addresses.note_known(address)
                line.give_back(REQUEST_COST)
        if PROVEN in request:
            doors.prove(protocol)
        return response

    return take


def _too_late() -> web.Response:
    response = web.Response(status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    response.force_close()
    return response
