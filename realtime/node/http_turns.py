"""Turns of plain HTTP requests: what nobody known asks for has its share of the node.

Strangers may ask for the page, for what is not there and for what needs a token; each
takes a turn as an attempt to be let in does (:mod:`realtime.engineio.attempts`), one
address after the other. Who proves to be known takes nothing from them. Requests of the
Engine.IO path take their turns there.
"""

from collections import Counter
from collections.abc import Collection
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.addresses import Address
from realtime.engineio.admission import Admission
from realtime.engineio.attempts import LINE, PROVEN, REQUEST_COST, Attempts
from realtime.node.connection_limit import HttpDoors

# Requests of operators' paths, a second and at once: their answers do not wait behind
# whatever else is asked for.
PROBES_A_SECOND: Final = 100.0
PROBES_AT_ONCE: Final = 100

RETRY_SECONDS: Final = 5


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
        probes: Paths of operators, which have turns of their own.
        elsewhere: Paths whose requests take their turns in their handlers.
        limited: Counts those that had to wait.
    """
    asked = Attempts((PROBES_A_SECOND, PROBES_AT_ONCE), limited)

    async def enter(request: web.Request, address: Address) -> Attempts | None:
        line, cost = admission.line_of(address), REQUEST_COST
        if request.path.rstrip("/") in probes:
            line, cost = asked, 1.0
        return line if await line.enter(address.name, cost) else None

    @web.middleware
    async def take(request: web.Request, handler: Handler) -> web.StreamResponse:
        protocol = request.protocol
        if request.path in elsewhere:
            response = await handler(request)
        else:
            address = admission.addresses.find(
                request.remote, request.headers.getall("X-Forwarded-For", [])
            )
            line = await enter(request, address)
            if line is None or request.transport is None:
                return _too_late()
            request[LINE] = line
            response = await handler(request)
            if PROVEN in request:
                admission.addresses.note_known(address)
                line.give_back(1.0 if line is asked else REQUEST_COST)
        if PROVEN in request:
            doors.prove(protocol)
        return response

    return take


def _too_late() -> web.Response:
    response = web.Response(status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    response.force_close()
    return response
