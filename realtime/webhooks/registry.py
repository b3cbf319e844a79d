"""Which endpoints there are, as a node knows them: from the file, and from commands."""

import asyncio
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from realtime.errors import ChatError
from realtime.store.endpoints import (
    LIMIT_ENDPOINTS,
    Endpoint,
    Endpoints,
    parse_endpoint,
)
from realtime.store.outbox import Outbox

# Time in which a node learns of an endpoint that was made, changed or disabled.
REFRESH_SECONDS: Final = 2.0

# Of the file: 20 endpoints with all that they may have.
LIMIT_FILE_BYTES: Final = 262_144

_logger = logging.getLogger(__name__)


def parse_file(data: bytes) -> tuple[Endpoint, ...]:
    """Return the endpoints of a TOML file, each a table ``[[hook]]``.

    Raises:
        ValueError: With what is wrong, and no secret.
    """
    if len(data) > LIMIT_FILE_BYTES:
        raise ValueError(f"more than {LIMIT_FILE_BYTES} bytes")
    tables = tomllib.loads(data.decode()).get("hook", [])
    if not isinstance(tables, list):
        raise ValueError("endpoints are tables [[hook]]")
    if len(tables) > LIMIT_ENDPOINTS:
        raise ValueError(f"more than {LIMIT_ENDPOINTS} endpoints")
    found = tuple(map(parse_endpoint, tables))
    if len({each.id for each in found}) < len(found):
        raise ValueError("two endpoints have the same id")
    return found


class Registry:
    """Keeps the list of endpoints up to date, and says whether anybody is told.

    Args:
        endpoints: Those that commands made, and how all fare.
        outbox: Is told whether anybody listens, and since when.
        of_file: Those of the file; they win over others of their id.

    Attributes:
        listening: Endpoints that are told, by their id.
        known: Set when it is known which there are.
    """

    def __init__(
        self, endpoints: Endpoints, outbox: Outbox, of_file: Sequence[Endpoint] = ()
    ) -> None:
        self._endpoints = endpoints
        self._outbox = outbox
        self._of_file = of_file
        self.listening: Mapping[str, Endpoint] = {}
        self.known = asyncio.Event()

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            try:
                await self.refresh()
            except ChatError as error:
                _logger.debug("Endpoints could not be looked up: %s", error.message)
            except Exception:
                # What is there was written by something else.
                _logger.exception("The list of endpoints cannot be read")
            await asyncio.sleep(REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Look which endpoints there are now.

        Raises:
            ChatError: Redis does not say.
        """
        known = await self._endpoints.known(self._of_file)
        listed = list(known.values())[:LIMIT_ENDPOINTS]
        if len(known) > len(listed):
            _logger.error(
                "There are %d endpoints; the last ones are not told", len(known)
            )
        states = await self._endpoints.states(each.id for each in listed)
        listening: dict[str, Endpoint] = {}
        for endpoint, state in zip(listed, states, strict=True):
            if state.get("disabled"):
                continue
            created_at = int(state.get("createdAt", 0))
            if not created_at:
                created_at = await self._endpoints.begin(endpoint.id)
            listening[endpoint.id] = replace(endpoint, created_at=created_at)
        self.listening = listening
        self._outbox.since = min(
            (each.created_at for each in listening.values()), default=0
        )
        self._outbox.active = bool(listening)
        self.known.set()
